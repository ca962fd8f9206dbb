"""The terminal handed to a program and taken back, in a real terminal: nothing is drawn over it, polling goes on."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from core.config import SSHSettings
from core.models import Host
from core.ssh.shell import shell_argv

_ROOT = Path(__file__).parents[2]


class Terminal:
    """A child on a terminal of its own: what it writes, and keys for it."""

    def __init__(self, master: int) -> None:
        self.master, self.written = master, b""

    def read(self) -> None:
        with contextlib.suppress(OSError):
            self.written += os.read(self.master, 1 << 16)

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    async def until(self, met: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(120):
                while not met():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(self.written[-2000:]) from None


def _own_the_terminal() -> None:
    """Make stdin the controlling terminal, so that ctrl+c signals its foreground group."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@asynccontextmanager
async def console(counted: Path) -> AsyncIterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(_ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.console.shell_child", str(counted),
        stdin=slave, stdout=slave, stderr=slave, cwd=_ROOT, env=environment, start_new_session=True,
        preexec_fn=_own_the_terminal,
    )  # fmt: skip
    os.close(slave)
    terminal = Terminal(master)
    asyncio.get_running_loop().add_reader(master, terminal.read)
    try:
        yield terminal
    finally:
        asyncio.get_running_loop().remove_reader(master)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        os.close(master)


async def test_a_program_has_the_terminal_to_itself_and_the_fleet_is_polled_on(tmp_path: Path) -> None:
    counted = tmp_path / "views"
    async with console(counted) as terminal:
        await terminal.until(lambda: b"POLLER" in terminal.written)
        terminal.press(b"S")
        await terminal.until(lambda: b"begun the-shell" in terminal.written)
        place, views = terminal.written.rindex(b"begun the-shell"), counted.stat().st_size
        await terminal.until(lambda: counted.stat().st_size > views + 10)  # the loop runs on
        assert terminal.written[place:].strip() == b"begun the-shell"  # and nothing was drawn over the program
        terminal.press(b"\x03")  # ctrl+c means the program; the console outlives it
        await terminal.until(
            lambda: b"ended with -2" in terminal.written[place:] and b"POLLER" in terminal.written[place:]
        )
        terminal.press(b"S")
        place = len(terminal.written)
        await terminal.until(lambda: b"begun the-shell" in terminal.written[place:])
        terminal.press(b"hello\n")
        await terminal.until(lambda: b"got hello" in terminal.written[place:])
        await terminal.until(lambda: b"ended with 3" in terminal.written[place:])


def test_the_words_of_ssh_reach_the_host_as_polling_does_and_weaken_nothing(tmp_path: Path) -> None:
    plain = SSHSettings(config_file=Path("~/.ssh/config"), known_hosts=Path("~/.ssh/known_hosts"))
    assert shell_argv(Host("web1"), plain) == ("ssh", "--", "web1")
    other = SSHSettings(config_file=tmp_path / "config", known_hosts=tmp_path / "known", user="watch")
    host = Host("web1", address="-oProxyCommand=x", port=2222, identity_files=("~/key",))
    argv = shell_argv(host, other)
    assert argv[:3] == ("ssh", "-F", str(tmp_path / "config")) and argv[-2:] == ("--", "-oProxyCommand=x")
    assert f'UserKnownHostsFile="{tmp_path / "known"}"' in argv and argv[5:7] == ("-p", "2222")
    assert argv[argv.index("-l") + 1] == "watch" and argv[argv.index("-i") + 1] == os.path.expanduser("~/key")
    assert not any("StrictHostKeyChecking" in word for word in argv)
    assert shell_argv(Host("demo", simulated=True), plain)[1:3] == ("-F", "none")
