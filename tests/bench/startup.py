"""First paint of the console and of --help, beside a Textual hello-world of the same size, interleaved."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from tests.bench.figures import Figure

COLUMNS, ROWS = 160, 50
_LIMIT_S = 30.0
_HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    BINDINGS = [("ctrl+q", "quit", "Quit")]
    def compose(self):
        yield Static("first-paint-mark")
Hello().run()
"""


def first_paint(argv: Sequence[str], mark: bytes, env: dict[str, str]) -> float:
    """Seconds from the start of a program on a terminal of its own until it has drawn ``mark``."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    started = monotonic()
    process = subprocess.Popen(
        argv, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True, close_fds=True
    )
    os.close(slave)
    seen = b""
    try:
        while mark not in seen:
            if monotonic() - started > _LIMIT_S:
                raise SystemExit(f"{argv} drew nothing in {_LIMIT_S:.0f} s; last output: {seen[-400:]!r}")
            if select.select([master], [], [], 0.5)[0]:
                seen += os.read(master, 65536)
        painted = monotonic() - started
        _quit(process, master)
        return painted
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)


def _quit(process: subprocess.Popen[bytes], master: int) -> None:
    """Leave as a person does, and read on meanwhile, for a full terminal would hold the program up."""
    os.write(master, b"\x11")
    end = monotonic() + 5
    while process.poll() is None and monotonic() < end:
        if select.select([master], [], [], 0.05)[0]:
            try:
                os.read(master, 65536)
            except OSError:
                return


def run(*, quick: bool) -> list[Figure]:
    """Interleave the programs and compare medians."""
    rounds = 5 if quick else 15
    root = Path(__file__).resolve().parents[2]
    hello, console, helped = [], [], []
    with tempfile.TemporaryDirectory(prefix="jw-bench-") as home:
        env = {
            "PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm-256color", "LANG": "C.UTF-8",
            "PYTHONPATH": str(root),
        }  # fmt: skip
        python, program = sys.executable, [sys.executable, "-m", "console"]
        for n in range(rounds + 1):
            figures = (
                first_paint([python, "-c", _HELLO], b"first-paint-mark", env),
                first_paint(program, b"Fleet", env),
                first_paint([*program, "--help"], b"usage: jumpwatch", env),
            )
            if n:  # the first round fills the caches
                for kept, value in zip((hello, console, helped), figures, strict=True):
                    kept.append(value)
    base = statistics.median(hello)
    return [
        Figure("startup", "Textual hello-world, first paint", base, "s"),
        Figure("startup", "console without hosts, first paint", statistics.median(console), "s"),
        Figure("startup", "jumpwatch --help", statistics.median(helped), "s"),
        Figure("startup", "console / hello-world", _ratio(console, hello), "ratio", aim=1.5),
        Figure("startup", "--help / hello-world", _ratio(helped, hello), "ratio", aim=1.5),
    ]


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """Median of the ratios round by round: drift of the machine falls out."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
