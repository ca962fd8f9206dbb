"""No secret and no large payload leaves in an error, whatever is put in."""

from __future__ import annotations

import base64
import copy
import inspect
import json
import logging
import pickle
import shutil
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from core import exceptions
from core.config import load_settings
from core.exceptions import (
    MAX_DICT_BYTES,
    DatabaseTimeoutError,
    InfrastructureException,
    SSHCommandError,
    SSHTimeoutError,
)
from core.logfile import LogFile
from core.logging import configure_logging, get_logger, shutdown_logging
from core.redaction import MASK, is_secret_name, redact, redact_text
from tests.parts import examples, kept_logging

FAMILY = [
    cls
    for _, cls in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(cls, InfrastructureException) and not cls.__name__.startswith("_")
]
FIELDS = {"error", "error_code", "message", "hostname", "operation", "timestamp", "details"}


def size(picture: dict[str, Any]) -> int:
    return len(json.dumps(picture, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("cls", FAMILY)
def test_every_class_has_the_same_picture(cls: type[InfrastructureException]) -> None:
    error = cls("it broke", hostname="web1", operation="poll", details={"password": "hunter2", "n": 1})
    picture = error.to_dict()
    assert set(picture) == FIELDS and picture["error"] == cls.__name__
    assert picture["details"]["password"] == MASK and picture["details"]["n"] == 1
    assert picture["timestamp"].endswith("+00:00") and error.timestamp.tzinfo is not None
    assert picture["error_code"] and str(error) == "it broke" and isinstance(error, InfrastructureException)


def test_codes_are_told_apart() -> None:
    codes = [cls.default_code for cls in FAMILY]
    assert len(set(codes)) == len(codes)
    assert InfrastructureException("x", error_code="MINE").to_dict()["error_code"] == "MINE"


def test_the_fields_that_commands_and_timeouts_carry() -> None:
    command = SSHCommandError("x", exit_code=7, stderr="password: hunter2\n" + "y" * 5000)
    assert command.exit_code == 7 and "hunter2" not in command.stderr
    assert command.to_dict()["details"]["exit_code"] == 7 and size(command.to_dict()) <= MAX_DICT_BYTES
    for cls in (SSHTimeoutError, DatabaseTimeoutError):
        assert cls("x", timeout_seconds=2.5).timeout_seconds == 2.5
        assert cls("x", timeout_seconds=2.5).to_dict()["details"]["timeout_seconds"] == 2.5


@pytest.mark.parametrize(
    "text",
    ["postgresql://u:hunter2@h/d", "postgresql+asyncpg://u:hun@hunter2@h/d", "redis://:hunter2@h:6379/0",
     "amqp://u:hunter2/x@h/v", "password=hunter2", 'PASSWORD: "hunter2 x"', "host=h password='x hunter2' dbname=d",
     "Authorization: Bearer hunter2hunter2", "DB_PASSWORD='hunter2'", "token=hunter2&x=1", "api_key: hunter2",
     "authorization: Negotiate hunter2", 'Proxy-Authorization: Digest username="x", response="hunter2"',
     "Set-Cookie: session=hunter2; Path=/", "X-Auth-Token: hunter2", "token: Bearer hunter2hunter2",
     "psql --password hunter2 -h h", "['psql', '--db-password', 'hunter2', '-h']", "PGPASSWORD=hunter2 psql",
     "sshpass -p hunter2 ssh h", "ALTER ROLE x PASSWORD 'hunter2'", "clientSecret=hunter2", "secret key: hunter2",
     "{'password': b'hunter2'}", '{"password": "\\"hunter2"}', r'"{\"password\": \"hunter2\"}"',
     "aws_secret_access_key = hunter2/x", "input_value='hunter2', input_type=str", "(x, password=hunter2)",
     "eyJhbGciOiJIUzI1NiJ9.hunter2hunter2.x", "AKIAIOSFODNN7EXAMPLE hunter2MI/K7MDENG/bPxRfiCYEXAMPLEKEYXYZA",
     "ghp_hunter2hunter2hunter2hunter2",
     "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
     "-----BEGIN RSA PRIVATE KEY-----\nhunter2 and no end", "hunter2\nhunter2==\n-----END EC PRIVATE KEY-----",
     "-----BEGIN PGP PRIVATE KEY BLOCK-----\nhunter2", "Private-Lines: 8\nhunter2\nPrivate-MAC: 1",
     "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU\nhunter2hunter2hunter2hunter2"],
)  # fmt: skip
def test_patterns(text: str) -> None:
    once = redact_text(f"before: {text} after")
    assert "hunter2" not in once and once.startswith("before:") and redact_text(once) == once
    error = InfrastructureException(text, hostname=text, operation=text, error_code=text)
    assert "hunter2" not in f"{error} {error!r} {json.dumps(error.to_dict())}"


@pytest.mark.parametrize(
    "text",
    ["host web1 is offline", "a:b@c", "ssh://web1:22/", "https://example.org/a@b", "http://web1:8080/a@b", "12:30",
     "http://[::1]:80/a@b", 'password authentication failed for user "bob"', "Basic authentication is off",
     "basic functionality", "bearer token missing", "compass: north", "secretary: bob", "passwordless: yes",
     "tokens_total=5", "token_type=bearer", "password_file=/etc/x", "pg_dump --password-file x", "password=None",
     "SELECT * FROM users WHERE password = $1", "private network: 10.0.0.0/8", "key: value", "monkey=3"],
)  # fmt: skip
def test_plain_text_stays(text: str) -> None:
    assert redact_text(text) == text


names = st.from_regex(r"(web|db|mail|store)[0-9]{1,3}(\.[a-z]{2,8}){0,2}", fullmatch=True)
base64s = st.binary(min_size=32, max_size=32).map(lambda raw: base64.b64encode(raw).decode().rstrip("="))


@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(names, base64s, st.integers(0, 1 << 40), st.binary(min_size=6, max_size=6))
def test_ordinary_text_is_not_mangled(name: str, key: str, number: int, some_id: bytes) -> None:
    for text in (
        f"{name}: online -> offline (connection refused by {name}:{number % 65536})",
        f"/dev/mapper/{name}-data {number} {number // 3} {number // 2} 51% /srv/{name}",
        f"host key SHA256:{key} of {name} changed",
        f"{name},10.0.0.{number % 256} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{key} root@{name}",
        f"SELECT ts, cpu_pct FROM host_samples WHERE host_id = {number} AND ts BETWEEN $1 AND $2",
        f"CALL convert_to_columnstore('_timescaledb_internal._hyper_{number}_{number}_chunk')",
        f"chunk.compress done: 1 of 1 done (audit {some_id.hex()})",
    ):
        assert redact_text(text) == text
    row = {"host": name, "audit_id": some_id.hex(), "rows": number, "fingerprint": f"SHA256:{key}"}
    assert redact(row) == row


@pytest.mark.parametrize(
    ("name", "secret"),
    [("password", True), ("db_password", True), ("X-Auth-Token", True), ("apiKey", True), ("sslPassword", True),
     ("monkey", False), ("compass", False), ("tokens_total", False), ("hostname", False), ("pinned", False)],
)  # fmt: skip
def test_names(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=400) | st.binary(max_size=400)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=30), inner, max_size=5)
)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.text(max_size=3000),
    st.dictionaries(st.text(max_size=50), values, max_size=8),
    st.none() | st.text(max_size=500),
    st.none() | st.text(max_size=300),
    st.none() | st.text(max_size=300),
)
def test_any_error_fits_in_a_kibibyte(
    message: str, details: dict[str, Any], hostname: str | None, operation: str | None, code: str | None
) -> None:
    error = InfrastructureException(message, details=details, hostname=hostname, operation=operation, error_code=code)
    picture = error.to_dict()
    assert set(picture) == FIELDS and size(picture) <= MAX_DICT_BYTES
    json.dumps(picture, allow_nan=False)


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class HostileDict(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no items")


def test_what_resists_becomes_a_short_picture_all_the_same() -> None:
    loop: dict[str, Any] = {"n": 1}
    loop["loop"] = [loop, (loop,)]
    wide: Any = "x"
    for _ in range(8):
        wide = [wide] * 50
    details = {"hostile": Hostile(), Hostile(): 1, "dict": HostileDict(x=1), "loop": loop, "wide": wide}  # type: ignore[dict-item]
    more = {"number": 10**5000, "nan": float("nan"), "half": "\udc80", "blob": b"x" * 10**6, "text": "x" * 10**6}
    for given_ in (details, more, {**more, **details}):
        picture = InfrastructureException(Hostile(), details=given_, hostname=Hostile()).to_dict()  # type: ignore[arg-type]
        assert json.loads(json.dumps(picture, allow_nan=False, ensure_ascii=False).encode()) == picture
        assert picture["message"] == "<Hostile>" and size(picture) <= MAX_DICT_BYTES
    assert InfrastructureException("x", details=HostileDict(x=1)).to_dict()["details"] == {"cut": True}
    assert (
        len(str(InfrastructureException("x" * 10**6))) <= 4000 >= len(SSHCommandError("x", stderr="x" * 10**6).stderr)
    )


def test_copies_and_pickles_are_whole_and_without_secrets() -> None:
    error = SSHCommandError(
        "failed with token=hunter2", exit_code=3, stderr="password=hunter2",
        details={"secret": "hunter2"}, hostname="web1", operation="run",
    )  # fmt: skip
    error.add_note("PGPASSWORD=hunter2")
    error.details.update(api_key="hunter2", lock=threading.Lock())
    raw = pickle.dumps(error)
    assert b"hunter2" not in raw
    for twin in (pickle.loads(raw), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is SSHCommandError and twin.to_dict().keys() == error.to_dict().keys()
        assert (twin.message, twin.exit_code, twin.hostname) == (error.message, 3, "web1")
        assert twin.timestamp == error.timestamp and twin.details["api_key"] == MASK
    for cls in FAMILY:
        twin = pickle.loads(pickle.dumps(cls("x", hostname="h")))
        assert type(twin) is cls and twin.to_dict()["hostname"] == "h"


def test_deep_and_odd_values() -> None:
    deep: dict[str, Any] = {}
    at = deep
    for _ in range(50):
        at["x"] = {}
        at = at["x"]
    json.dumps(redact(deep))
    assert redact(b"abc") == "<3 bytes>" and redact({1, 2}) in ([1, 2], [2, 1])
    assert redact("x" * 50, max_text=10) == "x" * 9 + "…"


Pair = namedtuple("Pair", "name password")


@dataclass
class Login:
    user: str
    password: str
    shown: str = field(default="", repr=False)


class Model(BaseModel):
    model_config = {"extra": "allow"}

    user: str = "u"
    client_secret: str


# Wherever a secret is known by its name or its type, it may be any text at all.
any_secret = st.text(min_size=5, max_size=40).map(lambda text: f"hX9{text}Yq7")
structures: list[Callable[[str], Any]] = [
    lambda s: {"password": s},
    lambda s: {"a": [{"b": ({"X-Api-Key": s},)}]},
    lambda s: [SecretStr(s)],
    lambda s: {"value": {"typed": SecretStr(s)}},
    lambda s: {"private_key": s.encode(), "more": [{"tokens": [bytearray(s.encode())]}]},
    lambda s: Login("u", s, s),
    lambda s: Model(client_secret=s, session_key=s),  # type: ignore[call-arg]
    lambda s: Pair("n", s),
    lambda s: [("Authorization", s)],
    lambda s: ["psql", "--password", s],
    lambda s: {"deep": {"er": {"er": {"er": {"er": {"er": {"er": {"er": {"er": {"token": s}}}}}}}}}},
    lambda s: ValueError({"password": s}),
    lambda s: ValueError("login", {"nested": [{"db_password": s}]}),
    lambda s: f"password={s!r} and more",
    lambda s: f"settings {json.dumps({'user': 'u', 'api_key': s})}",
    lambda s: repr(str({"password": s})),
    lambda s: InfrastructureException("x", details={"password": s}),
]
# In running text it has the letters that its place allows.
word = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'\\"), min_size=5, max_size=40)
word_secret = word.map(lambda text: f"hX9{text}Yq7")
token_secret = st.from_regex(r"hX9[A-Za-z0-9._~+/-]{5,40}Yq7", fullmatch=True)
base64_secret = st.from_regex(r"hX9[A-Za-z0-9+/]{5,40}Yq7", fullmatch=True)
texts: list[tuple[st.SearchStrategy[str], Callable[[str], str]]] = [
    (word_secret, lambda s: f"no route to postgresql+asyncpg://user:{s}@db1:5432/jumpwatch now"),
    (word_secret, lambda s: f"redis://:{s}@cache"),
    (word_secret, lambda s: f"login with password={s} failed"),
    (word_secret, lambda s: f"host=db1 user=u password={s} dbname=d"),
    (word_secret, lambda s: f"DB_PASSWORD: {s}"),
    (word_secret, lambda s: f"ran PGPASSWORD={s} psql --password {s} -h db1"),
    (token_secret, lambda s: f"sent Authorization: Bearer {s}"),
    (token_secret, lambda s: f"curl -H 'authorization: bearer {s}' https://h"),
    (token_secret, lambda s: "Basic " + base64.b64encode(f"user:{s}".encode()).decode() + f" and bearer {s}"),
    (base64_secret, lambda s: f"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n{s}\n-----END OPENSSH PRIVATE KEY-----"),
    (base64_secret, lambda s: f"-----BEGIN PRIVATE KEY-----\nMIIE\n{s}"),
    (base64_secret, lambda s: f"MIIE\n{s}\n{s}==\n-----END RSA PRIVATE KEY-----"),
]
planted = st.one_of(
    *(any_secret.map(lambda s, make=make: (s, make(s))) for make in structures),  # type: ignore[misc]
    *(drawn.map(lambda s, make=make: (s, make(s))) for drawn, make in texts),  # type: ignore[misc]
)


def leaks(rendered: str, secret: str) -> bool:
    """Say whether the secret's beginning or end is in the text, as it is or escaped."""
    parts = {way for part in (secret[:8], secret[-8:]) for way in (part, json.dumps(part)[1:-1], repr(part)[1:-1])}
    return any(part in rendered for part in parts)


class Collector(logging.Handler):
    """Renders what arrives in both ways."""

    def __init__(self, *formatters: logging.Formatter) -> None:
        super().__init__()
        self.formatters, self.lines = formatters, list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [formatter.format(record) for formatter in self.formatters]


@pytest.fixture
def renderers(tmp_path: Path) -> Iterator[Collector]:
    """JSON and console lines of all that is logged, beside the rotating JSON file in the folder."""
    root, formatters = logging.getLogger(), []
    with kept_logging():
        for kind in ("console", "json"):
            configured = load_settings(env={
                "HOME": str(tmp_path), "JUMPWATCH_LOGGING_FORMAT": kind,
                "JUMPWATCH_LOGGING_FILE": str(tmp_path / "log"),
                "JUMPWATCH_LOGGING_MAX_BYTES": "10000000", "JUMPWATCH_LOGGING_BACKUPS": "100",
            })  # fmt: skip
            configure_logging(configured, to_stderr=False)
            formatters += [one.formatter for one in root.handlers if isinstance(one, LogFile) and one.formatter]
        collector = Collector(*formatters)
        root.addHandler(collector)
        yield collector
        root.removeHandler(collector)
    shutil.rmtree(tmp_path)


def raised(thing: Any) -> BaseException:
    """An error whose cause, context, arguments, notes and group members hold the thing."""
    try:
        try:
            try:
                raise ValueError(thing)
            except ValueError as first:
                raise ExceptionGroup("both", [KeyError("at", thing), SSHCommandError(str(thing))]) from first
        except ExceptionGroup:
            raise InfrastructureException(str(thing), details={"value": thing})  # noqa: B904 - the context is meant
    except InfrastructureException as error:
        error.add_note(str(thing))
        return error


def test_no_planted_secret_gets_through(renderers: Collector, tmp_path: Path) -> None:
    log, foreign = get_logger("core.planted"), logging.getLogger("foreign")
    secrets: list[str] = []

    @settings(
        max_examples=examples(200), deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )  # fmt: skip
    @given(planted)
    def holds(case: tuple[str, Any]) -> None:
        secret, thing = case
        secrets.append(secret)
        renderers.lines.clear()
        error = raised(thing)
        ours = SSHCommandError(
            str(thing), stderr=str(thing), details={"value": thing, "password": secret}, hostname="h"
        )
        log.info(f"event {thing}", value=thing, error=ours, token=secret)
        log.error("failed", exc_info=error, error=error)
        foreign.warning("%s and %r", thing, thing, exc_info=error)
        foreign.warning("connect password=%s %.1f", secret, 1.5)
        foreign.warning("%(number)d %(password)s", {"number": 1, "password": secret})
        pictures = [str(ours), repr(ours), json.dumps(ours.to_dict()), json.dumps(redact(thing)), str(redact(error))]
        for rendered in (*pictures, *renderers.lines):
            assert not leaks(rendered, secret), rendered
        assert secret.encode() not in pickle.dumps(error) + pickle.dumps(ours)

    holds()
    shutdown_logging()
    files = sorted(tmp_path.glob("log*"), key=lambda file: -int(file.suffix[1:] or 0))
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len(lines) == 5 * len(secrets)
    for number, line in enumerate(lines):
        assert not leaks(line, secrets[number // 5]), line
        json.loads(line)
