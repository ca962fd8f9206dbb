"""``python -m core.simulator``: serve the demo fleet until stdin closes or SIGTERM comes."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

from core.exceptions import InfrastructureException
from core.simulator.fleet import build_fleet, even_fleet
from core.simulator.fleet_server import FleetServer
from core.simulator.local import read_local_spec
from core.simulator.wire import SLOW_EVERY_S

_GRACE_S = 0.8


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m core.simulator", description=__doc__)
    parser.add_argument("--hosts", type=int, default=12, help="how many hosts to play (1 to 5000)")
    parser.add_argument("--state-dir", type=Path, required=True, help="folder for the keys of this run")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another story")
    parser.add_argument("--single-port", action="store_true", help="one port for all; the login names the host")
    parser.add_argument("--even", action="store_true", help="for benchmarks: hosts of one kind, which never leave")
    parser.add_argument(
        "--slow-every", type=float, default=SLOW_EVERY_S, help="seconds between two frames with filesystems"
    )
    found = parser.parse_args(argv)
    if not 1 <= found.hosts <= 5000:
        parser.error(f"--hosts {found.hosts}: 1 to 5000 can be played")
    return found


def _allow_files(hosts: int) -> None:
    """Raise the limit of open files for a big fleet, as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hosts * 4 + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _end_soon() -> None:
    """End the process for good when the orderly way takes too long."""
    time.sleep(_GRACE_S)
    os._exit(0)


class _Ending:
    """Sets the event when stdin closes or a signal comes, and makes sure that the process then goes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.event = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._begin)
        # A thread, not the loop: it sees the end of stdin also when the loop is busy, and takes any kind of file.
        threading.Thread(target=self._watch_stdin, name="stdin", daemon=True).start()

    def _begin(self) -> None:
        if not self.event.is_set():
            self.event.set()
            threading.Thread(target=_end_soon, name="end", daemon=True).start()

    def _watch_stdin(self) -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass  # a closed stdin is an end as well
        try:
            self._loop.call_soon_threadsafe(self.event.set)
        except RuntimeError:
            return  # the loop is closed: the process ends already
        _end_soon()


async def _serve(arguments: argparse.Namespace) -> None:
    _allow_files(arguments.hosts)
    ending = _Ending(asyncio.get_running_loop())
    if arguments.even:
        fleet = even_fleet(arguments.hosts, arguments.seed)
    else:
        local = await asyncio.to_thread(read_local_spec, arguments.seed)
        fleet = build_fleet(arguments.hosts, arguments.seed, local)
    server = FleetServer(
        fleet,
        state_dir=arguments.state_dir,
        single_port=arguments.single_port,
        slow_every_s=arguments.slow_every,
    )
    try:
        ready = await server.start()
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await server.run(ending.event)
    finally:
        await server.stop()


def main(argv: list[str] | None = None) -> int:
    """Serve, and return the exit code: 0 after an orderly end, 1 with one line on stderr otherwise."""
    try:
        asyncio.run(_serve(_arguments(argv)))
    except InfrastructureException as error:
        sys.stderr.write(error.message + "\n")
        return 1
    except BrokenPipeError:
        return 1  # the reader of the ready line is gone
    except OSError as error:
        sys.stderr.write(f"The simulator cannot serve: {error.strerror or error}" + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
