"""Values: ranges, units, URLs, names; what is taken and what is refused, and in which words."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import SecretStr

from core.config import DatabaseSettings, RedisSettings, RetentionSettings, load_settings
from core.config.application import SECTION_CLASSES
from core.config.fields import number_range, variable_name
from core.config.reference import LATER, entries
from core.exceptions import ConfigurationError

SECTIONS = tuple(SECTION_CLASSES.values())
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("h/d", {"host": "h", "name": "d", "port": 5432, "user": None}),
        ("u:p@h:6/d", {"user": "u", "password": "p", "port": 6}),
        ("u:p%40%2F%3A%25@h/d", {"password": "p@/:%", "host": "h"}),
        ("u:p@ss@h/d", {"password": "p@ss", "host": "h"}),
        ("u:p/a?b#c@h:5/d", {"password": "p/a?b#c", "host": "h", "port": 5, "name": "d"}),
        ("u%40realm:p@h/d", {"user": "u@realm"}),
        ("u:p@[2001:db8::1]:6/d", {"host": "2001:db8::1", "port": 6}),
        ("[::1]/d", {"host": "::1"}),
        ("/d?host=/run/postgresql", {"host": "/run/postgresql", "name": "d"}),
        ("%2Frun%2Fpg/d", {"host": "/run/pg"}),
        ("h/d?sslmode=verify-full&sslrootcert=/ca.pem", {"ssl_mode": "verify-full", "ssl_root_cert": Path("/ca.pem")}),
        ("h/d?sslmode=allow", {"ssl_mode": "prefer"}),
        ("h/d?application_name=a@b", {"application_name": "a@b", "host": "h"}),
        ("h/d?connect_timeout=7", {"connect_timeout_s": 7}),
        ("h", {"host": "h", "name": "jumpwatch"}),
    ],
)
def test_urls(scheme: str, rest: str, expected: dict[str, object]) -> None:
    database = DatabaseSettings(url=SecretStr(f"{scheme}://{rest}"))
    for field, value in expected.items():
        found = getattr(database, field)
        assert (found.get_secret_value() if isinstance(found, SecretStr) else found) == value
    assert database.configured
    made = database.database_url
    assert made.drivername == "postgresql+asyncpg" and (made.host or made.query["host"]) == database.host


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hunter2@h/d", "hunter2", "postgresql://u:hunter2@a,b/d", "postgresql://u:hunter2@h/d?what=1",
     "postgresql:///d", "postgresql://u:hunter2@h:port/d", "postgresql://u:hunter2@[::1/d",
     "postgresql://u:hunter2@h:99999/d", "postgresql://u:hunter2%ff@h/d", "postgresql://u:hunter2%00@h/d"],
)  # fmt: skip
def test_a_wrong_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(env={"HOME": "/nowhere", "JUMPWATCH_DATABASE_URL": url})
    text = f"{caught.value} {caught.value.to_dict()}"
    assert "hunter2" not in text
    assert "JUMPWATCH_DATABASE_" in text


@pytest.mark.parametrize("host", ["cache.example", "10.1.2.3", "::1", "fe80::1%eth0", "bücher.example"])
@pytest.mark.parametrize("password", [None, "p", "a/b?c#d@e:f[g]%h &+ü\n"])
@pytest.mark.parametrize(("user", "tls"), [(None, False), ("us er@x", True)])
def test_a_redis_url_is_read_back_as_it_was_meant(host: str, password: str | None, user: str | None, tls: bool) -> None:
    redis = RedisSettings(host=host, password=password, user=user, tls=tls, database=3)
    url = urlsplit(redis.redis_url)
    assert unquote(url.hostname or "") == redis.host and (url.port, url.path) == (6379, "/3")
    assert (unquote(url.username or "") or None, unquote(url.password or "") or None) == (user, password)
    assert url.scheme == ("rediss" if tls else "redis")
    assert password is None or repr(password) not in repr(redis)


def _numbers() -> list[tuple[type, str, object, object]]:
    found = []
    for cls in SECTIONS:
        for name, info in cls.model_fields.items():
            low, high = number_range(info)
            if low is not None or high is not None:
                found.append((cls, name, low, high))
    return found


def test_every_number_has_a_range() -> None:
    bare = []
    for cls in SECTIONS:
        for name, info in cls.model_fields.items():
            if info.annotation in (int, float, timedelta) and None in number_range(info):
                bare.append(f"{cls.__name__}.{name}")
    assert not bare


@pytest.mark.parametrize(("cls", "name", "low", "high"), _numbers())
def test_out_of_range_names_variable_value_and_range(cls: type, name: str, low: object, high: object) -> None:
    variable = variable_name(cls.section, name)  # type: ignore[attr-defined]
    for beyond in (-1, 10**15):
        value = f"{beyond} days" if isinstance(low, timedelta) and beyond < 0 else str(beyond)
        with pytest.raises(ConfigurationError) as caught:
            load_settings(env={"HOME": "/nowhere", variable: value})
        message = caught.value.message
        assert variable in message and value.split(" ")[0] in message and "from" in message and "to" in message


@pytest.mark.parametrize("value", ["", "abc", "nan", "inf", "1e400", "0x10"])
def test_what_is_no_number_is_refused(value: str) -> None:
    if value == "":
        assert load_settings(env={"HOME": "/x", "JUMPWATCH_POLLING_INTERVAL_S": ""}).polling.interval_s == 10
        return
    with pytest.raises(ConfigurationError, match="JUMPWATCH_POLLING_INTERVAL_S"):
        load_settings(env={"HOME": "/x", "JUMPWATCH_POLLING_INTERVAL_S": value})


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        ("database", {"port": True}, "JUMPWATCH_DATABASE_PORT is True: must not be true or false"),
        ("database", {"host": "a b"}, "must be a host name"),
        ("database", {"host": "a," * 3}, "must be a host name"),
        ("database", {"host": "/" + "x" * 100}, "socket folder"),
        ("database", {"host": "fe80::1%a b"}, "zone"),
        ("database", {"name": "ü" * 32}, "63 bytes"),
        ("database", {"application_name": "Überwachung"}, "ASCII"),
        ("database", {"user": "a\0b"}, "control"),
        ("database", {"password": "hunter2\0"}, r"PASSWORD is \*\*\*: must not hold a NUL"),
        ("ssh", {"user": "$(reboot)"}, "shell"),
        ("ssh", {"user": "-oProxyCommand=x"}, "shell"),
        ("ssh", {"known_hosts": "~nobody-of-this-name/x"}, "home folder"),
        ("ssh", {"config_file": "x" * 300}, "255"),
        ("retention", {"chunk_interval": "3600.5"}, "whole seconds"),
        ("retention", {"spool_max_bytes": "9" * 400}, "from 1048576 to"),
        ("api", {"keys": ["", "hunter2"]}, r"KEYS is \*\*\*: each key"),
        ("external", {"webhook_urls": "https://h/x,hunter2"}, r"URLS is \*\*\*: each must be like"),
        ("swag", {"config_dir": "config"}, "absolute"),
    ],
)
def test_what_would_break_its_reader_is_refused(section: str, values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        SECTION_CLASSES[section](**values)
    assert "hunter2" not in str(caught.value) and "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "seconds"), [("2d", 172800), ("36 hours", 129600), ("1 week", 604800), ("P3D", 259200), ("90000", 90000)]
)
def test_durations(text: str, seconds: int) -> None:
    retention = RetentionSettings(raw_retention="30 days", compress_after=text, spool_max_age="1h")
    assert retention.compress_after.total_seconds() == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("2MiB", 2 << 20), ("2 MB", 2_000_000), ("3145728", 3 << 20), ("1g", 1 << 30)]
)
def test_bytes(text: str, size: int) -> None:
    assert RetentionSettings(spool_max_bytes=text).spool_max_bytes == size


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ({"spool_max_age": "2d", "compress_after": "2d"}, "SPOOL_MAX_AGE", "COMPRESS_AFTER"),
        ({"compress_after": "30d"}, "COMPRESS_AFTER", "RAW_RETENTION"),
        ({"spool_max_age": "40h", "refresh_start": "30h"}, "SPOOL_MAX_AGE", "REFRESH_START"),
        ({"refresh_start": "30d"}, "REFRESH_START", "RAW_RETENTION"),
    ],
)
def test_ages_are_in_order(values: dict[str, str], low: str, high: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RetentionSettings(**values)
    assert low in caught.value.message and high in caught.value.message


def test_refresh_may_start_where_the_spool_ends() -> None:
    assert RetentionSettings(spool_max_age="1 day", refresh_start="1 day").refresh_start == timedelta(days=1)


def attributes() -> set[str]:
    """The names that the program's own code reads of any object, the settings' own files left out."""
    found: set[str] = set()
    for top in ("core", "console"):
        for path in (ROOT / top).rglob("*.py"):
            if path.parent != ROOT / "core" / "config":
                tree = ast.parse(path.read_text("utf-8"))
                found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return found


def test_a_field_that_nothing_reads_says_that_its_reader_is_a_later_piece() -> None:
    # What the settings' own files read, and hand on: the rules of production, the folder of the files.
    own = {"environment", "config_dir"}
    read = attributes()
    unread = {e.variable for e in entries() if e.field not in own | read and LATER not in str(e.info.description)}
    assert not unread


def test_reading_settings_loads_nothing_heavy() -> None:
    code = (
        "import sys, json; import core.config; core.config.load_settings(env={'HOME': '/x'});"
        "print(json.dumps([m for m in ('sqlalchemy', 'asyncpg', 'asyncssh', 'structlog', 'stringprep', 'tomlkit')"
        " if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == []
