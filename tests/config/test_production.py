"""What environment=production refuses: each with its variable and the way out, all at once, never with the value."""

from __future__ import annotations

import base64
import random

import pytest
from pydantic import SecretStr

from core.config import ApplicationSettings, load_settings
from core.config.production import weakness
from core.exceptions import ConfigurationError

STRONG = "Zk4vQ8xw2RtNq7LmB1cYd5HsGj9PfE3a"


def production(**values: str) -> ApplicationSettings:
    given = {f"JUMPWATCH_{name}": value for name, value in values.items()}
    return load_settings(env={"HOME": "/x", "JUMPWATCH_ENVIRONMENT": "production"} | given)


@pytest.mark.parametrize("ssl_mode", ["disable", "prefer", "require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("host", ["db.example", "10.0.0.1", "localhost", "127.0.0.1", "::1", "/run/pg"])
def test_production_wants_tls_to_another_machine(host: str, ssl_mode: str) -> None:
    env = {
        "HOME": "/x",
        "JUMPWATCH_ENVIRONMENT": "production",
        "JUMPWATCH_DATABASE_HOST": host,
        "JUMPWATCH_DATABASE_SSL_MODE": ssl_mode,
    }
    if host in ("db.example", "10.0.0.1") and ssl_mode in ("disable", "prefer"):
        with pytest.raises(ConfigurationError, match="JUMPWATCH_DATABASE_SSL_MODE"):
            load_settings(env=env)
    else:
        load_settings(env=env)
    load_settings(env=env | {"JUMPWATCH_ENVIRONMENT": "development"})


REMOTE = {"DATABASE_HOST": "db.example", "DATABASE_SSL_MODE": "verify-full"}
UNSAFE: list[tuple[str, dict[str, str], str]] = [
    ("DATABASE_PASSWORD", REMOTE | {"DATABASE_PASSWORD": "Postgres"}, "another one"),
    ("DATABASE_PASSWORD", {"DATABASE_URL": "postgresql://anna:anna@localhost/x"}, "user's name"),
    ("REDIS_PASSWORD", {"REDIS_PASSWORD": "changeme"}, "another one"),
    ("REDIS_TLS", {"REDIS_HOST": "cache.example", "REDIS_PASSWORD": STRONG}, "true"),
    ("AUTH_SECRET_KEY", {"AUTH_SECRET_KEY": STRONG[:31]}, "openssl rand"),
    ("AUTH_SECRET_KEY", {"AUTH_SECRET_KEY": "change-me-" * 4}, "openssl rand"),
    ("API_KEYS", {"API_KEYS": f"{STRONG},short"}, "key 2"),
    ("API_HOST", {"API_HOST": "0.0.0.0"}, "127.0.0.1"),
    ("API_HOST", {"API_HOST": "::"}, "JUMPWATCH_API_KEYS"),
    ("API_CORS_ORIGINS", {"API_CORS_ORIGINS": "*", "API_CORS_CREDENTIALS": "true"}, "name the origins"),
    ("EXTERNAL_WEBHOOK_SECRET", {"EXTERNAL_WEBHOOK_SECRET": "secret"}, "openssl rand"),
    ("EXTERNAL_WEBHOOK_URLS", {"EXTERNAL_WEBHOOK_URLS": "http://chat.example/hook"}, "https://"),
]
SAFE: list[dict[str, str]] = [
    {},
    REMOTE | {"DATABASE_PASSWORD": "correct horse"},
    {"REDIS_HOST": "cache.example", "REDIS_PASSWORD": STRONG, "REDIS_TLS": "true"},
    {"REDIS_HOST": "127.0.0.1", "REDIS_PASSWORD": STRONG},
    {"AUTH_SECRET_KEY": STRONG, "API_HOST": "0.0.0.0", "API_KEYS": STRONG},
    {"API_HOST": "::1", "API_CORS_ORIGINS": "*"},
    {"API_CORS_ORIGINS": "https://a.example", "API_CORS_CREDENTIALS": "true"},
    {"EXTERNAL_WEBHOOK_URLS": "https://chat.example/hook,http://[::1]:9/x", "EXTERNAL_WEBHOOK_SECRET": STRONG},
    {"LOGGING_LEVEL": "debug"},  # tracebacks are redacted as every line is, and without the values of variables
]


@pytest.mark.parametrize(("variable", "values", "way_out"), UNSAFE)
def test_an_unsafe_value_is_refused_with_the_way_out(variable: str, values: dict[str, str], way_out: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        production(**values)
    (problem,) = caught.value.details["problems"]
    assert f"JUMPWATCH_{variable} " in problem and way_out in problem
    assert caught.value.details["variables"] == [f"JUMPWATCH_{variable}"]
    production(**values, ENVIRONMENT="development")


@pytest.mark.parametrize("values", SAFE)
def test_a_safe_value_is_taken(values: dict[str, str]) -> None:
    assert production(**values).environment == "production"


def test_all_findings_come_at_once_and_show_no_secret() -> None:
    everything: dict[str, str] = {}
    for _, values, _ in UNSAFE:
        everything = values | everything
    everything.pop("DATABASE_URL")  # it would name another server
    everything |= {"DATABASE_SSL_MODE": "disable", "AUTH_SECRET_KEY": "hunter2", "API_KEYS": "hunter2", "API_PORT": "0"}
    with pytest.raises(ConfigurationError) as caught:
        production(**everything)
    told = set(caught.value.details["variables"])
    # The wrong port takes its whole section out of the second look; every other finding is there beside it.
    assert {f"JUMPWATCH_{v}" for v, _, _ in UNSAFE if not v.startswith("API_")} <= told
    assert {"JUMPWATCH_API_PORT", "JUMPWATCH_DATABASE_SSL_MODE"} <= told
    assert "hunter2" not in f"{caught.value}{caught.value.details}{caught.value.to_dict()}"


def test_settings_built_by_hand_are_held_to_it_too() -> None:
    safe = load_settings(env={"HOME": "/x"})
    values = {name: getattr(safe, name) for name in type(safe).model_fields} | {"environment": "production"}
    assert ApplicationSettings(**values).environment == "production"
    api = type(safe.api)(host="0.0.0.0")
    with pytest.raises(ConfigurationError, match="JUMPWATCH_API_HOST"):
        ApplicationSettings(**values | {"api": api})


@pytest.mark.parametrize(
    "text",
    ["x" * 40, "0123456789" * 4, "abcdefghijklmnopqrstuvwxyz0123456789", "password" * 5,
     "changeme-changeme-secret-key-test!!", "ab1" * 12, "your-secret-key-change-this-in-production"],
)  # fmt: skip
def test_easy_secrets_are_seen(text: str) -> None:
    assert weakness(SecretStr(text)) == "is easily guessed"


def test_made_secrets_pass() -> None:
    source = random.Random(7)
    for _ in range(500):
        data = source.randbytes(33)
        assert weakness(SecretStr(base64.b64encode(data).decode())) == weakness(SecretStr(data.hex())) == ""
