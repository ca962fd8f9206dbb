"""`jumpwatch hosts check` at a terminal: the key is shown, the password is asked for and not echoed."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

from tests.ssh.asking import Asker, asking

SOURCE = Path(__file__).resolve().parents[2]


class Terminal:
    """A command on a terminal of its own, read and typed at."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=SOURCE, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(self._master, False)
        self.text, self._seen = "", 0

    async def until(self, words: str, seconds: float = 60) -> None:
        """Read until the words stand behind what was read before."""
        async with asyncio.timeout(seconds):
            while (place := self.text.find(words, self._seen)) < 0:
                self._read()
                await asyncio.sleep(0.02)
        self._seen = place + len(words)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self.text += os.read(self._master, 65536).decode("utf-8", "replace")

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._master, text.encode() + b"\n")

    async def end(self, seconds: float = 30) -> int:
        """Wait for its end and return the exit code."""
        async with asyncio.timeout(seconds):
            while (code := self.process.poll()) is None:
                self._read()
                await asyncio.sleep(0.02)
        self._read()
        return code

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


async def test_a_key_a_password_and_a_code_at_the_terminal(tmp_path: Path) -> None:
    rounds = [([("Password: ", False)], ["right"]), ([("Code: ", True)], ["77"])]
    async with asking(Asker(rounds=rounds)) as server:
        inventory = tmp_path / "hosts.toml"
        inventory.write_text(f'[[hosts]]\nname = "h"\naddress = "127.0.0.1"\nport = {server.port}\nuser = "ann"\n')
        env = {name: value for name, value in os.environ.items() if not name.startswith(("JUMPWATCH_", "XDG_", "SSH_"))}
        env |= {"HOME": str(tmp_path), "JUMPWATCH_INVENTORY_FILE": str(inventory), "PYTHONPATH": str(SOURCE)}
        terminal = Terminal([sys.executable, "-m", "console", "hosts", "check"], env)
        try:
            await terminal.until("Accept this key? [y/N]")
            terminal.type("y")
            await terminal.until("Password")
            terminal.type("mistake")
            await terminal.until("refused")
            await terminal.until("Password")
            terminal.type("right")
            await terminal.until("Code")
            terminal.type("77")
            assert await terminal.end() == 0, terminal.text
        finally:
            terminal.close()
    assert "login works" in terminal.text
    assert "mistake" not in terminal.text and "right" not in terminal.text
    assert server.seen == ["mistake", "right", "right", "77"] or server.seen == ["mistake", "right", "77"]
    assert (tmp_path / ".ssh" / "known_hosts").read_text().strip().endswith(server.public_key)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"right" not in path.read_bytes(), path
