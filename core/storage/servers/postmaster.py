"""What a PostgreSQL data folder says about the server that runs on it, and whether that is true."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PidFile:
    """The lines of postmaster.pid that matter."""

    pid: int
    socket_dir: str
    ready: bool

    @classmethod
    def read(cls, cluster: Path) -> PidFile | None:
        """Read the file; None while it is not there or not whole."""
        try:
            lines = (cluster / "postmaster.pid").read_text("utf-8", "surrogateescape").splitlines()
            pid = int(lines[0])
        except (OSError, ValueError, IndexError):
            return None
        ready = len(lines) >= 8 and lines[7].strip() == "ready"
        return cls(pid=pid, socket_dir=lines[4] if len(lines) >= 5 else "", ready=ready and pid > 0)


def is_postmaster(pid: int, cluster: Path) -> bool:
    """Tell whether this process is the server of this folder, and no other program that was given its number."""
    if pid <= 1:
        return False
    process = Path(f"/proc/{pid}")
    if Path("/proc/self/exe").exists():
        try:
            program = os.readlink(process / "exe").removesuffix(" (deleted)")
            return os.path.basename(program) == "postgres" and os.path.samefile(process / "cwd", cluster)
        except OSError:
            return False
    try:
        command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return "postgres" in asked.stdout and str(cluster) in asked.stdout


def running_pid(cluster: Path) -> int | None:
    """Find the server that runs on this folder, if one does. May block for a moment."""
    state = PidFile.read(cluster)
    return state.pid if state is not None and is_postmaster(state.pid, cluster) else None
