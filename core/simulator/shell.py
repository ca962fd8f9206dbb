"""The interactive shell of a demo host: a prompt, the commands that the simulator answers anyhow, and an end."""

from __future__ import annotations

from collections.abc import Callable

import asyncssh

from core.simulator.acting import Played
from core.simulator.fleet import LOGIN

Answer = Callable[[str], Played | None]
"""What the host says to a line; None: it has no such command."""

_MOST = 1024  # characters of a line; more are not taken
_NOT_HERE = "demo host: not here"
_EXIT_NOT_HERE = 127
_HELP = """\
A demo host answers a few commands and runs none: uptime, date, who, whoami, hostname, uname -a, df -P,
cat /etc/os-release, cat /proc/loadavg. exit or ctrl+d ends.
"""
_INTERRUPT, _END, _KILL, _ESCAPE = 0x03, 0x04, 0x15, 0x1B
_ERASE, _ENTER, _BEFORE_FINAL = (0x08, 0x7F), (0x0D, 0x0A), (0x5B, 0x4F)


class DemoShell:
    """Reads lines as a terminal in raw mode sends them, or as a pipe does; nothing typed leaves this class but to
    be compared."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], name: str, answer: Answer) -> None:
        self._chan, self._answer = chan, answer
        self._prompt = f"{LOGIN}@{name}:~$ ".encode()
        self._terminal = chan.get_terminal_type() is not None
        self._line = bytearray()
        self._escape = 0  # 1: after ESC, 2: inside a sequence
        self._entered = False  # by CR, after which LF is no second line
        self._code = 0
        self._ended = False

    def session_started(self) -> None:
        """Greet a person; a pipe is told nothing that it did not ask for."""
        if self._terminal:
            self._say(_HELP)
            self._chan.write(self._prompt)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Take what was typed."""
        for sign in data:
            if self._ended:
                return
            if self._terminal:
                self._typed(sign)
            elif sign == _ENTER[1]:
                self._enter()
            elif len(self._line) < _MOST:
                self._line.append(sign)

    def eof_received(self) -> bool:
        """End with the input; a last line without its end counts."""
        if self._line and not self._terminal and not self._ended:
            self._enter()
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take no more."""
        self._ended = True

    def pause_writing(self) -> None:
        """Nobody reads: then nothing more is answered either."""
        self._chan.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._chan.resume_reading()

    def _typed(self, sign: int) -> None:
        after_return, self._entered = self._entered, sign == _ENTER[0]
        if self._escape:
            self._escape = 2 if self._escape == 1 and sign in _BEFORE_FINAL else self._escape
            if self._escape == 1 or (0x40 <= sign <= 0x7E and sign not in _BEFORE_FINAL):
                self._escape = 0
        elif sign == _ESCAPE:
            self._escape = 1
        elif sign in _ENTER:
            if not (after_return and sign == _ENTER[1]):
                self._chan.write(b"\r\n")
                self._enter()
        elif sign == _END and not self._line:
            self._say("logout\n")
            self._end()
        elif sign == _INTERRUPT:
            self._line.clear()
            self._chan.write(b"^C\r\n" + self._prompt)
        elif sign == _KILL:
            self._chan.write(b"\b \b" * len(self._line))
            self._line.clear()
        elif sign in _ERASE and self._line:
            self._line.pop()
            self._chan.write(b"\b \b")
        elif 0x20 <= sign < 0x7F and len(self._line) < _MOST:
            self._line.append(sign)
            self._chan.write(bytes((sign,)))

    def _enter(self) -> None:
        """Answer the line."""
        line = self._line.decode("ascii", "replace").strip()
        self._line.clear()
        match line.split():
            case []:
                pass
            case ["exit" | "logout", *words]:
                if words:
                    self._code = int(words[0]) & 255 if words[0].isdecimal() and len(words[0]) < 10 else 2
                self._end()
                return
            case ["help"]:
                self._code = 0
                self._say(_HELP)
            case _:
                self._answered(self._answer(line))
        if self._terminal:
            self._chan.write(self._prompt)

    def _answered(self, found: Played | None) -> None:
        if found is None:
            self._code = _EXIT_NOT_HERE
            self._say(f"{_NOT_HERE}\n", error=True)
            return
        self._code = found.code
        self._say(found.text)
        self._say(found.errors, error=True)

    def _say(self, text: str, *, error: bool = False) -> None:
        if self._terminal:
            self._chan.write(text.replace("\n", "\r\n").encode())
        elif error:
            self._chan.write_stderr(text.encode())
        else:
            self._chan.write(text.encode())

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._chan.exit(self._code)
