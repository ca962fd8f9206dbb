"""Settings: order of the sources for every pair, ranges, files that are refused, URLs."""

from __future__ import annotations

import itertools
import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from core.config import (
    ApplicationSettings,
    DatabaseSettings,
    MonitoringSettings,
    PollingSettings,
    RetentionSettings,
    SSHSettings,
    get_settings,
    load_settings,
)
from core.config.fields import number_range, variable_name
from core.exceptions import ConfigurationError

SECTIONS = (DatabaseSettings, SSHSettings, PollingSettings, MonitoringSettings, RetentionSettings)


class Sources:
    """Writes one setting into any set of sources, and loads."""

    def __init__(self, home: Path) -> None:
        self.folder = home / ".config" / "jumpwatch"
        self.folder.mkdir(parents=True)
        self.env = {"HOME": str(home)}
        self.flags: dict[str, object] = {}

    def put(self, source: str, section: str, field: str, value: object) -> None:
        variable = variable_name(section, field)
        if source == "flag":
            self.flags[f"{section}.{field}"] = value
        elif source == "env":
            self.env[variable] = str(value)
        elif source == "dotenv":
            with self._private(self.folder / ".env") as file:
                file.write(f"{variable}='{value}'\n")
        elif source == "toml":
            with (self.folder / "config.toml").open("a") as file:
                file.write(f"[{section}]\n{field} = {value if isinstance(value, int | float) else repr(value)}\n")

    def _private(self, path: Path):  # type: ignore[no-untyped-def]
        path.touch(mode=0o600)
        return path.open("a")

    def load(self) -> ApplicationSettings:
        return load_settings(self.flags, self.env)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


ORDER = ("flag", "env", "dotenv", "toml")
VALUES = {"flag": 11, "env": 12, "dotenv": 13, "toml": 14}


@pytest.mark.parametrize("chosen", [c for n in (1, 2, 3, 4) for c in itertools.combinations(ORDER, n)])
def test_the_highest_source_wins(sources: Sources, chosen: tuple[str, ...]) -> None:
    for source in chosen:
        sources.put(source, "polling", "interval_s", VALUES[source])
        sources.put(source, "database", "pool_size", VALUES[source])
    settings = sources.load()
    assert settings.polling.interval_s == VALUES[chosen[0]]
    assert settings.database.pool_size == VALUES[chosen[0]]
    assert settings.polling.backoff_max_s == 300  # its neighbours stay as they are


def test_a_lower_source_fills_what_a_higher_one_leaves(sources: Sources) -> None:
    sources.put("toml", "database", "host", "db.example")
    sources.put("dotenv", "database", "user", "watch")
    sources.put("env", "database", "password", "p@ss/w:rd")
    sources.put("flag", "database", "name", "other")
    database = sources.load().database
    url = database.database_url
    assert (url.host, url.username, url.password, url.database) == ("db.example", "watch", "p@ss/w:rd", "other")
    assert "p@ss" not in f"{url}{database!r}{database.label}"


def test_a_url_above_forgets_the_server_below(sources: Sources) -> None:
    sources.put("toml", "database", "host", "old.example")
    sources.put("dotenv", "database", "password", "of-the-old-one")
    sources.put("env", "database", "url", "postgresql://me@new.example/db")
    database = sources.load().database
    assert (database.host, database.password) == ("new.example", None)


def test_a_password_beside_a_url_is_used(sources: Sources) -> None:
    sources.put("env", "database", "password", "secret")
    sources.put("flag", "database", "url", "postgresql://me@new.example/db")
    database = sources.load().database
    assert database.password is not None and database.password.get_secret_value() == "secret"


def test_a_part_above_a_url_wins(sources: Sources) -> None:
    sources.put("toml", "database", "url", "postgresql://me:pw@db.example:6000/db")
    sources.put("env", "database", "port", 6001)
    database = sources.load().database
    assert (database.host, database.port, database.user) == ("db.example", 6001, "me")


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
    assert made.drivername == "postgresql+asyncpg" and made.host == database.host


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hunter2@h/d", "hunter2", "postgresql://u:hunter2@a,b/d", "postgresql://u:hunter2@h/d?what=1",
     "postgresql:///d", "postgresql://u:hunter2@h:port/d", "postgresql://u:hunter2@[::1/d",
     "postgresql://u:hunter2@h:99999/d"],
)  # fmt: skip
def test_a_wrong_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(env={"HOME": "/nowhere", "JUMPWATCH_DATABASE_URL": url})
    text = f"{caught.value} {caught.value.to_dict()}"
    assert "hunter2" not in text
    assert "JUMPWATCH_DATABASE_" in text


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


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        PollingSettings().interval_s = 3  # type: ignore[misc]


def test_unknown_keys_of_files_are_named_with_a_hint(sources: Sources) -> None:
    (sources.folder / "config.toml").write_text("enviroment = 'x'\n[poling]\n[polling]\nintervall_s = 3\n")
    with pytest.raises(ConfigurationError) as caught:
        sources.load()
    for word in ("enviroment (did you mean environment?)", "[poling] (did you mean polling?)", "interval_s?"):
        assert word in caught.value.message
    (sources.folder / "config.toml").unlink()
    sources.put("dotenv", "poling", "interval_s", 3)
    with pytest.raises(ConfigurationError, match=r"JUMPWATCH_POLING_INTERVAL_S .*JUMPWATCH_POLLING_INTERVAL_S"):
        sources.load()


def test_unknown_variables_are_noticed_not_fatal(sources: Sources) -> None:
    sources.env |= {"JUMPWATCH_DATABASE_PASWORD": "hunter2", "JUMPWATCH_TEST_REQUIRE": "all", "JUMPWATCH_X": "1"}
    notices = sources.load().notices
    assert len(notices) == 2 and "JUMPWATCH_DATABASE_PASSWORD?" in notices[0] and "hunter2" not in str(notices)


@pytest.mark.parametrize("text", ["[polling\n", "polling = 3\n", "[polling.interval_s]\na = 1\n", "\xff"])
def test_a_broken_file_is_named(sources: Sources, text: str) -> None:
    (sources.folder / "config.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"config\.toml"):
        sources.load()


def test_a_named_file_must_exist(sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings(env=sources.env, config_file=tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings(env={**sources.env, "JUMPWATCH_CONFIG_FILE": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_dotenv_that_others_may_write_is_refused(sources: Sources, mode: int) -> None:
    sources.put("dotenv", "polling", "interval_s", 3)
    (sources.folder / ".env").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod go-w"):
        sources.load()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_dotenv_of_somebody_else_is_refused(sources: Sources) -> None:
    sources.put("dotenv", "polling", "interval_s", 3)
    os.chown(sources.folder / ".env", 12345, 12345)
    with pytest.raises(ConfigurationError, match="belongs to user id 12345"):
        sources.load()


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


def test_folders_follow_xdg(tmp_path: Path) -> None:
    settings = load_settings(env={"HOME": "/h", "XDG_DATA_HOME": str(tmp_path), "XDG_STATE_HOME": "relative"})
    assert settings.data_dir == tmp_path / "jumpwatch"
    assert settings.state_dir == Path("/h/.local/state/jumpwatch")
    assert settings.inventory_file == Path("/h/.config/jumpwatch/hosts.toml")
    assert settings.log_file == Path("/h/.local/state/jumpwatch/jumpwatch.log")
    assert load_settings(env={"HOME": "/h", "JUMPWATCH_DATA_DIR": "/d"}).data_dir == Path("/d")


def test_get_settings_is_one_object_until_cleared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("JUMPWATCH_POLLING_INTERVAL_S", "7")
    get_settings.cache_clear()
    try:
        assert get_settings() is get_settings() and get_settings().polling.interval_s == 7
        assert PollingSettings().interval_s == 7  # a section alone reads the environment too
    finally:
        get_settings.cache_clear()
