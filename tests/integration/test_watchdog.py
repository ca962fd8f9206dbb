"""A watchdog over the loop's thread: no file, name look-up or sleep of ours happens there while the console runs."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType

import pytest

from core.models import HostState
from tests.integration.conftest import console
from tests.ssh.sshd import RealSshd

# What asyncio itself does without blocking (connect, Popen) raises audit events too, and is left out.
BLOCKING = {
    "open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.utime",
    "shutil.rmtree", "shutil.copyfile", "socket.getaddrinfo", "socket.gethostbyname", "time.sleep", "fcntl.flock",
}  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]
OURS = (str(ROOT / "core"), str(ROOT / "console"))
# Start and stop of an embedded server read a pid file and try locks that never wait, on a disk known to be local.
ALLOWED = (str(ROOT / "core" / "storage" / "servers"),)
STDLIB = sysconfig.get_paths()["stdlib"]
caught: list[str] = []
watching = threading.Event()


def _culprit(frame: FrameType | None) -> str | None:
    """Our function that asked for it, where the standard library alone lies between."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):
            return None  # a late import: short, and once
        if name.startswith(ALLOWED):
            return None
        if name.startswith(OURS):
            return f"{name.removeprefix(str(ROOT))}:{frame.f_lineno} {frame.f_code.co_name}"
        if "site-packages" in name or not (name.startswith((STDLIB, "<frozen"))):
            return None
        frame = frame.f_back
    return None


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not watching.is_set() or event not in BLOCKING or threading.current_thread() is not threading.main_thread():
        return
    if event == "open" and isinstance(arguments[0], int):
        return  # a pipe's descriptor gets its file object: nothing is waited for
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    if culprit := _culprit(sys._getframe(1)):
        caught.append(f"{event}{arguments[:1]} by {culprit}")


@cache
def _hooked() -> None:
    sys.addaudithook(_hook)  # stays for good, and sleeps outside these tests


@pytest.fixture(scope="module", autouse=True)
def watchdog() -> Iterator[None]:
    _hooked()  # a worker that takes over another's tests may come to this module twice
    yield
    watching.clear()


@pytest.fixture
def watch() -> Iterator[list[str]]:
    caught.clear()
    watching.set()
    yield caught
    watching.clear()


async def test_the_watchdog_bites(watch: list[str]) -> None:
    from core.redaction import redact

    class Opens:
        def __str__(self) -> str:
            with open("/dev/null"):
                return ""

    redact(Opens())  # not ours: the test's own frame lies nearer
    assert watch == []
    exec(compile("open('/dev/null').close()", OURS[0] + "/planted.py", "exec"), {})
    assert len(watch) == 1 and "planted" in watch[0]


async def test_nothing_blocks_the_loop_from_start_to_quit(
    home: Path, sshd: RealSshd, inventory: Path, watch: list[str]
) -> None:
    async with console() as walk:
        await walk.until(lambda v: bool(v.reviews))
        await walk.pilot.press("h", "a")
        await walk.type("yes")
        await walk.pilot.press("enter", "escape")
        await walk.until(lambda v: any(h.state is HostState.ONLINE for h in v.hosts))
        await walk.until(lambda v: v.writer.stored >= 2 and v.database.chunks)
        await walk.pilot.press("5", "w", "y", "A")
        await walk.shown("STATEMENTS")
        await walk.pilot.press("escape", "4", "2", "1")
        watching.clear()  # what is left at the end goes to the spool at once, waiting for nobody
    if watch:
        pytest.fail("in the loop's thread:\n" + "\n".join(watch))


async def test_nothing_blocks_the_loop_of_a_demo(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: list[str]
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no Node: the quicker of the two engines
    async with console(demo=True) as walk:
        await walk.until(lambda v: any("written by the demo" in e.text for e in v.events), 90)
        watching.clear()
    if watch:
        pytest.fail("in the loop's thread:\n" + "\n".join(watch))
