"""Logs: where they go, what never gets into them, and that the screen stays clean."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from core import logfile
from core.config import ApplicationSettings, load_settings
from core.exceptions import SSHCommandError
from core.logfile import LogFile
from core.logging import (
    configure_logging,
    correlation,
    get_logger,
    log_defect,
    shutdown_logging,
)
from tests.parts import kept_logging


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with kept_logging():
        yield


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


def files_of(path: Path) -> list[Path]:
    """The log file's generations, oldest first."""
    return sorted(path.parent.glob(path.name + "*"), key=lambda p: -int(p.suffix[1:] if p.suffix[1:].isdigit() else 0))


def numbers_in(path: Path) -> list[str]:
    return [json.loads(line)["number"] for file in files_of(path) for line in file.read_text().splitlines()]


def test_rotation_loses_and_tears_no_line_and_lets_nobody_else_read(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, JUMPWATCH_LOGGING_MAX_BYTES="10000", JUMPWATCH_LOGGING_BACKUPS="100")
    settings.log_file.parent.mkdir(parents=True)
    settings.log_file.touch(0o644)
    umask = os.umask(0)
    try:
        configure_logging(settings, to_stderr=False)
        threads = [threading.Thread(target=_many_lines, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        shutdown_logging()
    finally:
        os.umask(umask)
    files = files_of(settings.log_file)
    assert 20 < len(files) < 101
    assert all(file.stat().st_size <= 10_000 and stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    found = numbers_in(settings.log_file)
    for name in "abc":
        assert [one for one in found if one[0] == name] == [f"{name}{number}" for number in range(500)]


def _many_lines(name: str) -> None:
    for number in range(500):
        get_logger("core.x").info("a line of some length", number=f"{name}{number}", filler="x" * (number % 100))


@pytest.mark.parametrize("backups", [0, 2])
def test_rotation_keeps_to_its_bounds(tmp_path: Path, backups: int) -> None:
    settings = settings_in(tmp_path, JUMPWATCH_LOGGING_MAX_BYTES="10000", JUMPWATCH_LOGGING_BACKUPS=str(backups))
    configure_logging(settings, to_stderr=False)
    for number in range(300):
        get_logger("core.x").info("a line of some length to fill the file", number=number, filler="x" * 100)
    get_logger("core.x").info("longer than a file may be", number=300, filler=["x" * 7000, "y" * 7000])
    get_logger("core.x").info("after it", number=301)
    shutdown_logging()
    files = files_of(settings.log_file)
    assert len(files) == backups + 1 == len(list(settings.state_dir.iterdir()))
    found = numbers_in(settings.log_file)
    assert found == list(range(302))[-len(found) :]  # the youngest, whole and in order


def test_two_consoles_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    both = [LogFile(path, max_bytes=2000, backups=100) for _ in range(2)]
    for number in range(400):
        for name, file in zip("ab", both, strict=True):
            line = json.dumps({"number": f"{name}{number}", "filler": "x" * 50})
            file.handle(logging.LogRecord("x", logging.INFO, "", 0, line, None, None))
    for file in both:
        file.close()
    found = numbers_in(path)
    for name in "ab":
        mine = [int(one[1:]) for one in found if one[0] == name]
        assert sorted(mine) == list(range(400))


def test_lines_that_a_slow_disk_drops_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "_MOST_LINES", 5)
    settings = settings_in(tmp_path)
    configure_logging(settings, to_stderr=False)
    handler = next(one for one in logging.getLogger().handlers if isinstance(one, LogFile))
    with handler._change:  # the writing thread stands still
        for number in range(20):
            get_logger("core.x").info("line", number=number)
    *lines, told = lines_of(settings)
    assert [line["number"] for line in lines] == [0, 1, 2, 3, 4]
    assert told["event"] == "15 log lines lost: the disk is too slow" and told["level"] == "warning"


def test_a_removed_folder_is_made_anew(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    configure_logging(settings, to_stderr=False)
    get_logger("core.x").info("before")
    shutil.rmtree(settings.state_dir)
    get_logger("core.x").info("after")
    assert lines_of(settings)[-1]["event"] == "after"


FULL_DISK = """
import resource, sys, time
from pathlib import Path
from core.config import load_settings
from core.logging import configure_logging, get_logger, shutdown_logging
settings = load_settings(env={"HOME": sys.argv[1]})
assert configure_logging(settings, to_stderr=False) == ""
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # a write past it is cut, then refused: as on a full disk
for number in range(50):
    get_logger("core.x").info("line", number=number)
    time.sleep(0.001)
while settings.log_file.stat().st_size < 1000:
    time.sleep(0.01)
time.sleep(0.2)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
get_logger("core.x").info("room again", number=50)
shutdown_logging()
"""


def test_a_full_disk_stops_nothing_and_is_told(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    whole, torn, lost = [], 0, 0
    for line in settings_in(tmp_path).log_file.read_text().splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            torn += 1
            continue
        if "log lines lost: File too large" in event["event"]:
            lost += int(event["event"].split()[0])
        else:
            whole.append(event["number"])
    assert torn <= 1 and whole == sorted(set(whole)) and whole[-1] == 50
    assert lost > 0 and len(whole) + lost >= 51


NOISE = """
import asyncio, logging, sys, threading, warnings
logging.basicConfig(level=logging.DEBUG)  # as a library might
other = logging.getLogger("a.library")
other.addHandler(logging.StreamHandler())
from core.config import load_settings
from core.logging import configure_logging, get_logger, shutdown_logging
assert configure_logging(load_settings(env={"HOME": sys.argv[1]}), to_stderr=False) == ""
warnings.warn("warned of password=hunter2")
for name in ("a.library", "asyncssh", "sqlalchemy.engine", "alembic.runtime"):
    logging.getLogger(name).warning("said by %s", name)
logging.getLogger("wrong").error("%d is %s", "no number")
try:
    raise ValueError("token=hunter2")
except ValueError:
    get_logger("core.x").exception("failed")

async def main():
    async def fails():
        raise ValueError("never retrieved, password=hunter2")
    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    del task
    asyncio.get_running_loop().call_exception_handler({"message": "from the loop"})

asyncio.run(main())

def in_a_thread():
    raise ValueError("in a thread, password=hunter2")

thread = threading.Thread(target=in_a_thread)
thread.start()
thread.join()

class Dies:
    def __del__(self):
        raise ValueError("in a destructor, password=hunter2")

Dies()
shutdown_logging()
logging.getLogger("late").error("nobody listens")
"""


def test_nothing_reaches_the_screen(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", NOISE, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = settings_in(tmp_path).log_file.read_text()
    for part in (
        "warned of", "said by a.library", "said by asyncssh", "said by sqlalchemy", "said by alembic",
        "never retrieved", "from the loop", "in a thread", "in a destructor", "cannot be written (TypeError): %d is %s",
    ):  # fmt: skip
        assert part in text, part
    assert "hunter2" not in text and all(json.loads(line) for line in text.splitlines())


def test_libraries_are_never_louder_than_the_level(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, JUMPWATCH_LOGGING_LEVEL="error")
    configure_logging(settings, to_stderr=False)
    for name in ("asyncssh", "asyncio", "core.x"):
        logging.getLogger(name).warning("not at this level")
        logging.getLogger(name).error("heard")
    assert [line["event"] for line in lines_of(settings)] == ["heard"] * 3


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_hostile_values_neither_raise_nor_lose_the_line(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    configure_logging(settings, to_stderr=False)
    loop: dict[str, object] = {}
    loop["loop"] = loop
    log = get_logger("core.x")
    log.info("odd", value=Hostile(), loop=loop, keys={Hostile(): 1}, number=10**5000, nan=float("nan"), half="\udc80")
    log.info("positional %s", 1)
    logging.getLogger("foreign").error("odd %s", Hostile())
    try:
        raise ValueError(Hostile())
    except ValueError:
        log.exception("failed")
    odd, positional, foreign, failed = lines_of(settings)
    assert odd["loop"] == {"loop": "<dict>"} and odd["value"] == "<Hostile>" and odd["half"] == "\\udc80"
    assert positional["event"] == "positional %s" and foreign["event"] == "odd <Hostile>"
    assert "ValueError" in str(failed["exception"])


def test_a_traceback_tells_all_but_secrets_and_local_variables(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    configure_logging(settings, to_stderr=False)
    local = "swordfish" + "1234"
    try:
        try:
            raise KeyError({"password": local})
        except KeyError as inner:
            error = ExceptionGroup("both", [ValueError(f"url redis://:{local}@h"), SSHCommandError("third")])
            error.add_note(f"token={local}")
            raise error from inner
    except ExceptionGroup:
        get_logger("core.x").exception("failed")
    (line,) = lines_of(settings)
    text = str(line["exception"])
    assert local not in text and "local =" not in text.replace('local = "swordfish"', "")
    for part in ("KeyError", "direct cause", "ExceptionGroup: both", "redis://:***@h", "SSHCommandError", "token=***"):
        assert part in text, part


def test_a_long_traceback_keeps_both_ends(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    configure_logging(settings, to_stderr=False)
    try:
        raise ValueError("x" * 200_000 + " the end")
    except ValueError:
        get_logger("core.x").exception("failed")
    text = str(lines_of(settings)[0]["exception"])
    assert text.startswith("Traceback") and text.endswith("the end") and len(text) <= 8000


def test_console_lines_in_the_file_cannot_steer_a_terminal(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, JUMPWATCH_LOGGING_FORMAT="console")
    configure_logging(settings, to_stderr=False)
    get_logger("core.x").warning("two\nlines \x1b[2J", host="web1\x9b31m")
    shutdown_logging()
    text = settings.log_file.read_text()
    assert len(text.splitlines()) == 1 and "\x1b" not in text and "\x9b" not in text and "two\\nlines" in text


@pytest.mark.parametrize("kind", ["a folder", "a terminal's device", "a pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/tty")
    notice = configure_logging(settings_in(tmp_path, JUMPWATCH_LOGGING_FILE=str(path)), to_stderr=False)
    assert "no log is kept" in notice


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
