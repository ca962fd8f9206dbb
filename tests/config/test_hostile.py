"""No settings pass and then break who reads them: either they are refused in clear words, or every reader works."""

from __future__ import annotations

import getpass
import json
import logging
import os
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from logging.handlers import RotatingFileHandler
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from asyncpg.connect_utils import _parse_connect_arguments
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.engine import make_url

from console.commands import config as commands
from console.commands.output import plain
from console.composition.oneshot import limits_of
from core.collectors.loop import loop_calls, parse_request
from core.config import ApplicationSettings
from core.config.reference import entries
from core.config.urls import parse_database_url
from core.exceptions import MAX_DICT_BYTES, ConfigurationError
from core.live_state import LiveState
from core.logging import configure_logging, shutdown_logging
from core.models import Host
from core.polling.backoff import Backoff
from core.ports import SystemClock
from core.ssh.config_lines import ConfigSyntaxError
from core.ssh.options import Target, resolve
from core.storage.connect import connect_arguments, session_settings, tls
from core.storage.partitions import missing_ranges, partition_interval, partition_name
from core.storage.setup_times import keep_for
from core.storage.timescale import seconds
from tests.config.hostile import MARK, good, values
from tests.config.sources import ORDER, Sources
from tests.parts import examples

# config_dir is left out: it says where this test's own files are.
ENTRIES = [entry for entry in entries() if entry.field != "config_dir"]


def database(given: ApplicationSettings) -> None:
    """The URL means the same to SQLAlchemy, to us and to the driver; the driver takes every argument."""
    here = given.database
    url, password = here.database_url, here.password.get_secret_value() if here.password else None
    text = url.render_as_string(hide_password=False)
    assert make_url(text) == url and MARK not in f"{url}{here.label}" and here.label.isprintable()
    if not here.configured:
        with pytest.raises(ConfigurationError, match="JUMPWATCH_DATABASE_URL"):
            connect_arguments(here, None)
        return
    head, mark, query = text.partition("?")  # SQLAlchemy writes a space of the query as +, which libpq and we keep
    parts = parse_database_url(head + mark + query.replace("+", "%20"))
    assert (parts["host"], int(parts["port"]), parts["name"]) == (here.host, here.port, here.name)
    login = here.user or (getpass.getuser() if password else None)
    assert (parts.get("user"), parts.get("password")) == (login, password or None)
    options = dialect().create_connect_args(make_url(text))[1]
    assert (options["host"], options["port"], options["database"]) == (here.host, here.port, here.name)
    try:
        tls(here)
    except ConfigurationError as error:
        assert here.ssl_root_cert is not None and "JUMPWATCH_DATABASE_SSL_ROOT_CERT" in error.message
        return
    arguments = connect_arguments(here, None)
    assert arguments.pop("timeout") > 0
    absent = dict.fromkeys(("dsn", "user", "password", "passfile", "direct_tls", "target_session_attrs", "krbsrvname",
                            "gsslib", "service", "servicefile"))  # fmt: skip
    sizes = {"statement_cache_size": 1, "max_cached_statement_lifetime": 1, "max_cacheable_statement_size": 1}
    (address,), driver, _ = _parse_connect_arguments(**absent | sizes | arguments)
    if isinstance(address, str):
        assert len(os.fsencode(address)) < 108  # sun_path
    else:
        assert address == (here.host, here.port) and len(str(here.host).encode("idna")) < 256
    wire = [driver.user, driver.database, driver.password or "", *driver.server_settings.values()]
    assert not any(b"\0" in word.encode() for word in wire)
    assert all(len(word.encode()) < 64 for word in (driver.database, here.user or ""))


def sessions(given: ApplicationSettings) -> None:
    """The server takes each timeout (a whole number of milliseconds) and shows the name as it was given."""
    for name in (None, f"{given.database.application_name} maintenance"):
        made = session_settings(given.database, name)
        assert all(0 < int(value) < 1 << 31 for key, value in made.items() if key.endswith("timeout"))
        assert made["application_name"].isascii() and 0 < len(made["application_name"]) < 64


def redis(given: ApplicationSettings) -> None:
    """A client that takes the URL apart gets back what was set."""
    here = given.redis
    url = urlsplit(here.redis_url)
    assert (unquote(url.hostname or ""), url.port, url.path) == (here.host.lower(), here.port, f"/{here.database}")
    password = here.password.get_secret_value() if here.password else ""
    assert (unquote(url.username or ""), unquote(url.password or "")) == (here.user or "", password)


def log_options(given: ApplicationSettings) -> None:
    """Logging takes level and form, and the file's name can be opened."""
    try:
        assert configure_logging(given, to_stderr=True) == ""
        chosen = given.logging.level if "logging.level" in given.origins else "warning"
        assert logging.getLogger().level == getattr(logging, chosen.upper())
    finally:
        shutdown_logging()
    options = given.logging
    RotatingFileHandler(given.log_file, maxBytes=options.max_bytes, backupCount=options.backups, delay=True).close()


def paths(given: ApplicationSettings) -> None:
    """Every path can be handed to the system."""
    here = (given.config_dir, given.data_dir, given.state_dir / "spool", given.cache_dir, given.inventory_file,
            given.log_file, given.ssh.config_file, given.ssh.known_hosts, given.database.ssl_root_cert)  # fmt: skip
    for path in filter(None, here):
        assert path.is_absolute() and str(path).encode() is not None and path.exists() in (True, False)


def polling(given: ApplicationSettings) -> None:
    """Waits are finite and never nothing; the loop's request is read back by the other end."""
    here = given.polling
    backoff = Backoff(here.backoff_base_s, here.backoff_max_s)
    for failures in (0, 1, 7, 10**6):
        for random in (0.0, 0.5, 1 - 2**-53):
            assert here.backoff_base_s / 10 <= backoff.delay(failures, random) <= here.backoff_max_s
    call = loop_calls(here.frame_max_bytes)(here.interval_s)
    request = parse_request(call.command)
    assert request is not None and request.interval_s == pytest.approx(here.interval_s, rel=1e-5)
    assert here.heartbeat_s < request.silence_s
    LiveState(SystemClock(), history_points=here.history_points, event_history=given.monitoring.event_history)
    assert limits_of(given) is not None


def ssh(given: ApplicationSettings) -> None:
    """asyncssh takes the options."""
    here = given.ssh
    target = Target.of(Host(name="web"), config=here.config_file, default_user=here.user)
    try:
        resolved = resolve(target, keepalive_s=here.keepalive_interval_s)
    except OSError as exc:  # a file that cannot be read: the connection fails, as a ConfigurationError that names it
        assert exc.filename
        return
    except ConfigSyntaxError as exc:  # one that is no ssh_config: likewise
        assert str(here.config_file) in str(exc)
        return
    assert resolved.options.keepalive_interval == here.keepalive_interval_s
    assert here.user is None or resolved.options.username.encode()


def retention(given: ApplicationSettings) -> None:
    """Lengths of time mean to the database what they mean to us, and reach back to a date that there is."""
    here, now = given.retention, datetime(2026, 7, 1, tzinfo=UTC)
    lengths = [value for value in vars(here).values() if isinstance(value, timedelta)]
    for length in [*lengths, *keep_for(here).values()]:
        found = re.fullmatch(r"(\d+) seconds", seconds(length))
        assert found and timedelta(seconds=int(found[1])) == length and (now - length).year > 1900
    for table in keep_for(here):
        interval = partition_interval(table, here.chunk_interval)
        ranges = missing_ranges([], now, now + 2 * interval, interval)
        assert 2 <= len(ranges) <= 3 and all(stop - start == interval for start, stop in ranges)
        names = {partition_name(table, start) for start, _ in ranges}
        assert len(names) == len(ranges) and all(len(name) < 64 for name in names)


def services(given: ApplicationSettings) -> None:
    """What later pieces will read has the form that HTTP, sockets and a remote shell's words ask for."""
    for key in given.api.keys:
        assert key.get_secret_value().encode("ascii").isalnum() or key.get_secret_value().isprintable()
    for origin in given.api.cors_origins:
        url = urlsplit(origin)
        assert origin == "*" or (url.hostname and url.port != -1 and f"{url.scheme}://{url.netloc}" == origin)
    for secret in given.external.webhook_urls:
        target = urlsplit(secret.get_secret_value())
        assert target.hostname and target.scheme.lower() in ("http", "https") and target.port != -1
    for host in (given.api.host, given.redis.host):
        if ":" in host:
            assert socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        else:
            assert host.encode("ascii") and host.encode("idna")
    assert PurePosixPath(given.swag.config_dir, "nginx").is_absolute() and "\0" not in given.swag.config_dir
    assert given.auth.session_lifetime < timedelta(days=31)


def shown(given: ApplicationSettings) -> None:
    """What is printed is JSON and has no secret."""
    flat = {
        key: {"value": value, "source": commands._source(given, key)} for key, value in commands._flat(given).items()
    }
    text = json.dumps(plain(flat), ensure_ascii=False, allow_nan=False)
    assert MARK not in text + repr(given) + str(given.notices)


READERS: tuple[Callable[[ApplicationSettings], None], ...] = (
    database, sessions, redis, log_options, paths, polling, ssh, retention, services, shown,
)  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources(tmp_path_factory.mktemp("home"))


def put(sources: Sources, source: str, section: str, field: str, value: Any) -> None:
    """Put a value where it can stand: files are UTF-8, and python-dotenv has no word for a backslash at the end."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
    too_large = isinstance(value, int) and abs(value) > 1 << 62  # for TOML
    if too_large or "\udcff" in text or (source == "dotenv" and text.endswith("\\")):
        source = "env"
    sources.put(source, section, field, value)


@settings(
    max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_settings_are_refused_or_every_reader_works(sources: Sources, data: st.DataObject) -> None:
    sources.fresh()
    chosen = data.draw(st.lists(st.sampled_from(range(len(ENTRIES))), min_size=1, max_size=5, unique=True))
    # The first may be anything; good ones beside it, for a refusal of one hides what the others would have done.
    for number, entry in enumerate(ENTRIES[index] for index in chosen):
        source = data.draw(st.sampled_from(ORDER))
        value = data.draw(values(entry) if number == 0 else good(entry), label=f"{source} {entry.variable}")
        put(sources, source, entry.section, entry.field, value)
    try:
        loaded = sources.load()
    except ConfigurationError as error:
        said = f"{error}{error.details}{json.dumps(error.to_dict(), ensure_ascii=False)}"
        assert error.details["problems"] and MARK not in said
        assert all(problem.isprintable() for problem in error.details["problems"])
        assert len(json.dumps(error.to_dict(), ensure_ascii=False).encode("utf-8", "replace")) <= MAX_DICT_BYTES
        return
    for reader in READERS:
        reader(loaded)


def test_the_file_of_this_test_is_private(sources: Sources) -> None:
    sources.fresh()
    sources.put("dotenv", "ssh", "user", "a'b\\c")
    assert Path(sources.dotenv).stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match=r"JUMPWATCH_SSH_USER is a'b\\c"):
        sources.load()
