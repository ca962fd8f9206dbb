"""No secret and no large payload leaves in an error, whatever is put in."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import exceptions
from core.exceptions import (
    MAX_DICT_BYTES,
    DatabaseTimeoutError,
    InfrastructureException,
    SSHCommandError,
    SSHTimeoutError,
)
from core.redaction import MASK, is_secret_name, redact, redact_text

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
    ["postgresql://u:hunter2@h/d", "postgresql+asyncpg://u:hun@hunter2@h/d", "password=hunter2",
     'PASSWORD: "hunter2 x"',
     "Authorization: Bearer hunter2hunter2", "DB_PASSWORD='hunter2'", "token=hunter2&x=1", "api_key: hunter2",
     "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
     "-----BEGIN RSA PRIVATE KEY-----\nhunter2 and no end"],
)  # fmt: skip
def test_patterns(text: str) -> None:
    assert "hunter2" not in redact_text(f"before {text} after")
    assert "hunter2" not in str(InfrastructureException(text)) + json.dumps(InfrastructureException(text).to_dict())


@pytest.mark.parametrize(
    "text", ["host web1 is offline", "a:b@c", "ssh://web1:22/", "https://example.org/a@b", "12:30"]
)
def test_plain_text_stays(text: str) -> None:
    assert redact_text(text) == text


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


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=3000),
    st.dictionaries(st.text(max_size=50), values, max_size=8),
    st.none() | st.text(max_size=500),
    st.none() | st.text(max_size=300),
)
def test_any_error_fits_in_a_kibibyte(
    message: str, details: dict[str, Any], hostname: str | None, operation: str | None
) -> None:
    picture = InfrastructureException(message, details=details, hostname=hostname, operation=operation).to_dict()
    assert size(picture) <= MAX_DICT_BYTES
    json.dumps(picture)


@settings(max_examples=60, deadline=None)
@given(
    st.text(
        alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'\\,;&"),
        min_size=4,
        max_size=30,
    )
)
def test_no_secret_survives_by_name(secret: str) -> None:
    details = {"password": secret, "deep": [{"client_secret": secret}]}
    assert redact(details) == {"password": MASK, "deep": [{"client_secret": MASK}]}


def test_deep_and_odd_values() -> None:
    deep: dict[str, Any] = {}
    at = deep
    for _ in range(50):
        at["x"] = {}
        at = at["x"]
    json.dumps(redact(deep))
    assert redact(b"abc") == "<3 bytes>" and redact({1, 2}) in ([1, 2], [2, 1])
    assert redact("x" * 50, max_text=10) == "x" * 9 + "…"
