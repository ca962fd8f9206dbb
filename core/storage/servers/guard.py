"""Parent of the embedded PostgreSQL: stops it as soon as no console uses it. Standard library only; run by its path.

Started with one argument, a JSON object. It forks at once: as nobody's child it outlives the console that began it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

POLL_SECONDS = 0.2
STOP_STEPS = ((signal.SIGINT, 6.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 2.0))  # fast, immediate, last resort
LOG_BYTES = 4 * 1024 * 1024


class Postmaster:
    """The server process: a child of ours, or one that an earlier guard left behind."""

    def __init__(self, spec: dict[str, Any], log: int) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        if spec.get("adopt"):
            self.pid = int(spec["adopt"])
            return
        switch = {"user": spec["uid"], "group": spec["gid"], "extra_groups": []} if spec.get("uid") else {}
        self._child = subprocess.Popen(
            spec["argv"],
            cwd=spec["cluster"],
            env=spec["environment"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            umask=0o077,
            start_new_session=True,
            **switch,
        )
        self.pid = self._child.pid

    def ended(self) -> bool:
        """Tell whether the server is gone."""
        if self._child is not None:
            return self._child.poll() is not None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def stop(self) -> None:
        """Ask it to end, harder each time."""
        for number, seconds in STOP_STEPS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if self.ended():
                    return
                time.sleep(0.02)


def open_log(path: str) -> int:
    """Open the server's log, keeping one old one when it has grown."""
    with contextlib.suppress(OSError):
        if os.path.getsize(path) > LOG_BYTES:
            os.replace(path, f"{path}.1")
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def unused(fd: int) -> bool:
    """Take the users' lock if no console holds a share of it; from then on no console can."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main() -> None:
    """Start or adopt the server, and look after its end."""
    spec = json.loads(sys.argv[1])
    log = open_log(spec["log"])
    if os.fork():
        os._exit(0)
    for fd in (0, 1, 2):
        os.dup2(log, fd)
    asked_to_stop = False

    def on_signal(*_: object) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    users = os.open(spec["users"], os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    postmaster = Postmaster(spec, log)
    while not postmaster.ended():
        if asked_to_stop or unused(users):
            postmaster.stop()
            break
        time.sleep(POLL_SECONDS)
    for folder in spec["remove"]:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
