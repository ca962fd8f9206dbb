"""The request that starts the pushing loop on a host: a constant command and the program's one line on stdin."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from core.collectors.frame import FrameReader
from core.collectors.remote_python import PYTHON_PROGRAM
from core.collectors.remote_shell import SHELL_PROGRAM

SILENCE_S = 15.0
HEARTBEAT = b"\n"
PACE = b"INTERVAL="

# One line, no backslash, quote or exclamation mark inside: bash, dash, ash, fish and tcsh read it alike. The program
# itself comes as one line on stdin, for tcsh takes no newline in a word and `sh -s` may swallow the heartbeats.
_BOOTSTRAP = """exec /bin/sh -c 'IFS= read -r p;eval "$(printf %b "$p")"' jumpwatch-loop"""
_ARGUMENTS = re.compile(r"jumpwatch-loop 1 NONCE=([0-9a-f]{32}) INTERVAL=([0-9.]+) SILENCE=([0-9.]+)( MODE=sh)?$")

# A python3 that is a stub or broken must not cost us the host, so it is tried first; -I keeps the login's own
# modules out (a select.py in the home folder), and stdin away from it, for there the heartbeats wait.
_PROGRAM = f"""LC_ALL=C PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
export LC_ALL PATH
if [ "$5" != MODE=sh ]; then
  for y in /usr/bin/python3 python3 /usr/libexec/platform-python; do
    if "$y" -I -S -c 'import select' </dev/null >/dev/null 2>&1; then
      exec "$y" -I -S -c '{PYTHON_PROGRAM}' "$@"
    fi
  done
fi
{SHELL_PROGRAM}
"""


@dataclass(frozen=True, slots=True)
class LoopRequest:
    """What is asked of one loop; the nonce marks its frames, times are seconds."""

    interval_s: float
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))
    silence_s: float = SILENCE_S
    force_sh: bool = False

    @property
    def command(self) -> str:
        """The command to execute on the channel, good for any login shell."""
        words = f"1 NONCE={self.nonce} INTERVAL={self.interval_s:g} SILENCE={self.silence_s:g}"
        return f"{_BOOTSTRAP} {words}{' MODE=sh' if self.force_sh else ''}"

    @property
    def stdin(self) -> bytes:
        """What must be written to the command's stdin before any heartbeat."""
        return _PROGRAM_LINE


class LoopCall:
    """One run of the loop as the client sees it: what is sent, and the frames cut out of what comes back."""

    heartbeat = HEARTBEAT

    def __init__(self, request: LoopRequest, max_bytes: int) -> None:
        self.command, self.stdin = request.command, request.stdin
        self._reader = FrameReader(request.nonce, max_bytes)
        self.feed = self._reader.feed

    @staticmethod
    def pace(interval_s: float) -> bytes:
        """The line on stdin that changes the interval of a running loop, and asks for a frame at once."""
        return PACE + b"%g\n" % interval_s

    @property
    def noise(self) -> bytes:
        """The last of what came outside frames, such as why the login shell refused."""
        return self._reader.noise


def loop_calls(max_bytes: int, *, force_sh: bool = False) -> Callable[[float], LoopCall]:
    """Return what makes a call from an interval in seconds; frames over ``max_bytes`` end the stream."""
    return lambda interval_s: LoopCall(LoopRequest(interval_s, force_sh=force_sh), max_bytes)


def parse_request(command: str) -> LoopRequest | None:
    """Read a request back from its command, for whatever answers in the loop's place; None if it is none."""
    found = _ARGUMENTS.search(command)
    if found is None:
        return None
    try:
        return LoopRequest(float(found[2]), found[1], float(found[3]), found[4] is not None)
    except ValueError:
        return None


def forced_command_script() -> str:
    """Return a script for ``command="..."`` in authorized_keys: it runs this loop and nothing else."""
    return (
        "#!/bin/sh\n"
        "# Jumpwatch: pushes read-only figures to the client. Arguments are taken as data, never run.\n"
        "case $SSH_ORIGINAL_COMMAND in\n"
        "  *' jumpwatch-loop 1 NONCE='*) ;;\n"
        "  *) echo 'this key may only run the Jumpwatch loop' >&2; exit 126;;\n"
        "esac\n"
        "set -f\n"
        "set -- ${SSH_ORIGINAL_COMMAND##*jumpwatch-loop }\n"
        "for x; do case $x in *[!A-Za-z0-9=.]*) exit 126;; esac; done\n"
        "IFS= read -r p\n" + _PROGRAM
    )


_PROGRAM_LINE = _PROGRAM.replace("\\", "\\\\").replace("\n", "\\n").encode("ascii") + b"\n"
