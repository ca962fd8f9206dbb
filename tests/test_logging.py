"""Logs: where they go, what never gets into them, and that the screen stays clean."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.config import ApplicationSettings, load_settings
from core.exceptions import SSHCommandError
from core.logging import (
    configure_logging,
    correlation,
    get_logger,
    log_defect,
    shutdown_logging,
)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    level, complaints, last = logging.getLogger().level, logging.raiseExceptions, logging.lastResort
    yield
    shutdown_logging()
    logging.getLogger().setLevel(level)
    logging.raiseExceptions, logging.lastResort = complaints, last
    logging.getLogger("asyncio").setLevel(logging.NOTSET)
    logging.captureWarnings(False)


def settings_in(folder: Path, **env: str) -> ApplicationSettings:
    return load_settings(env={"HOME": str(folder), **env})


def lines_of(settings: ApplicationSettings) -> list[dict[str, object]]:
    shutdown_logging()
    return [json.loads(line) for line in settings.log_file.read_text().splitlines()]


def test_the_file_gets_json_and_the_screen_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = settings_in(tmp_path)
    assert configure_logging(settings, to_stderr=False) == ""
    with correlation("abc", host="web1"):
        get_logger("core.x").info("polled", cpu=3.5)
    get_logger("core.x").debug("not at this level")
    logging.getLogger("foreign").warning("from %s", "stdlib")
    first, second = lines_of(settings)
    assert first["event"] == "polled" and first["cpu"] == 3.5 and first["level"] == "info"
    assert first["correlation_id"] == "abc" and first["host"] == "web1" and first["logger"] == "core.x"
    assert str(first["timestamp"]).endswith("Z")
    assert second["event"] == "from stdlib" and "correlation_id" not in second
    assert capfd.readouterr() == ("", "")
    assert stat.S_IMODE(settings.log_file.stat().st_mode) == 0o600


def test_secrets_never_arrive(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, JUMPWATCH_LOGGING_LEVEL="debug")
    configure_logging(settings, to_stderr=False)
    log = get_logger("core.x")
    log.info(
        "url postgresql://u:hunter2@h/d", password="hunter2", nested={"api_key": "hunter2", "n": [{"token": "hunter2"}]}
    )
    log.info("typed", value=SecretStr("hunter2"))
    log.warning("failed", error=SSHCommandError("boom", stderr="password=hunter2", details={"secret": "hunter2"}))
    logging.getLogger("foreign").error("connect %s", "postgresql://u:hunter2@h/d")
    try:
        raise ValueError("token=hunter2")
    except ValueError as error:
        log_defect(log, error)
    text = json.dumps(lines_of(settings))
    assert "hunter2" not in text and text.count("***") >= 6
    assert "SSH_COMMAND_ERROR" in text and "Traceback" in text


def test_rotation_keeps_to_its_bounds(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, JUMPWATCH_LOGGING_MAX_BYTES="10000", JUMPWATCH_LOGGING_BACKUPS="2")
    configure_logging(settings, to_stderr=False)
    for number in range(300):
        get_logger("core.x").info("a line of some length to fill the file", number=number, filler="x" * 100)
    shutdown_logging()
    files = sorted(settings.state_dir.iterdir())
    assert len(files) == 3 and all(file.stat().st_size <= 10_000 for file in files)


def test_an_unwritable_place_is_told_and_stops_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    settings = settings_in(tmp_path, JUMPWATCH_LOGGING_FILE=str(tmp_path / "file" / "x.log"))
    notice = configure_logging(settings, to_stderr=False)
    assert "no log is kept" in notice and "JUMPWATCH_LOGGING_FILE" in notice
    get_logger("core.x").error("nowhere to go")
    assert capfd.readouterr() == ("", "")


def test_commands_talk_on_stderr_and_only_when_it_matters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings_in(tmp_path), to_stderr=True)
    get_logger("core.x").info("chatter")
    get_logger("core.x").warning("heard")
    out, err = capsys.readouterr()
    assert out == "" and "heard" in err and "chatter" not in err
    assert not (tmp_path / ".local").exists()
    configure_logging(
        settings_in(tmp_path, JUMPWATCH_LOGGING_LEVEL="info", JUMPWATCH_LOGGING_FORMAT="json"), to_stderr=True
    )
    get_logger("core.x").info("chatter")
    assert json.loads(capsys.readouterr().err)["event"] == "chatter"


def test_configuring_again_does_not_double(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    for _ in range(3):
        configure_logging(settings, to_stderr=False)
    get_logger("core.x").info("once")
    assert len(lines_of(settings)) == 1


def test_correlation_is_left_at_the_end(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    configure_logging(settings, to_stderr=False)
    with correlation() as one, correlation() as two:
        get_logger("x").info("inner")
    get_logger("x").info("outer")
    inner, outer = lines_of(settings)
    assert one != two and inner["correlation_id"] == two and "correlation_id" not in outer
