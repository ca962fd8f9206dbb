"""The console against real OpenSSH and a real PostgreSQL: keys reviewed, figures true, one poller at a time."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.inventory import Inventory
from core.models import Host, HostState, PollerRole, Reason
from core.storage.servers import EmbeddedServer
from tests.integration.conftest import Walk, console
from tests.ssh.sshd import RealSshd

SOURCE = Path(__file__).resolve().parents[2]
POLLER = """
import asyncio, sys
from console.composition.services import LiveServices
from core.config import load_settings
async def main():
    services = LiveServices(load_settings)
    await services.start(lambda view: print(view.role.value, flush=True))
    await asyncio.Event().wait()
asyncio.run(main())
"""


def states(walk: Walk) -> dict[str, tuple[HostState, Reason]]:
    return {h.host.name: (h.state, h.reason) for h in walk.view.hosts}


async def test_an_unknown_key_is_reviewed_by_keys_and_true_figures_follow(
    inventory: Path, home: Path, sshd: RealSshd
) -> None:
    async def not_ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    web = await asyncio.start_server(not_ssh, "127.0.0.1", 0)
    with Inventory.edit(inventory) as hosts:
        hosts.add(Host("web", "127.0.0.1", web.sockets[0].getsockname()[1]))
        hosts.save()
    async with web, console() as walk:
        await walk.until(
            lambda _: (
                states(walk)
                == {
                    "real": (HostState.OFFLINE, Reason.KEY_UNKNOWN),
                    "closed": (HostState.OFFLINE, Reason.PORT),
                    "web": (HostState.OFFLINE, Reason.PROTOCOL),
                }
            )
        )
        await walk.until(lambda v: bool(v.reviews))
        await walk.pilot.press("h")
        await walk.shown(walk.view.reviews[0].fingerprint)
        await walk.pilot.press("a")
        await walk.type("yes")
        await walk.pilot.press("enter")
        await walk.until(lambda _: states(walk)["real"][0] in (HostState.ONLINE, HostState.DEGRADED))
        assert (home / ".ssh" / "known_hosts").stat().st_mode & 0o777 == 0o600

        await walk.until(lambda v: next(h for h in v.hosts if h.host.name == "real").sample.system.cpu_pct is not None)
        sample = next(h.sample for h in walk.view.hosts if h.host.name == "real")
        assert sample is not None and sample.system.cpus == os.cpu_count()
        total = int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]) * 1024
        assert sample.system.mem_total == total
        root = next(f for f in sample.filesystems or () if f.mount == "/")
        disk = os.statvfs("/")
        assert root.size == disk.f_blocks * disk.f_frsize

        await walk.until(lambda v: v.writer.stored >= 3)
        assert walk.view.writer.dropped == 0

        with Inventory.edit(inventory) as hosts:  # another terminal changes the inventory
            hosts.remove("closed")
            hosts.add(Host("later", "127.0.0.1", sshd.port, sshd.user, identity_files=(str(sshd.login_key),)))
            hosts.save()
        await walk.until(lambda _: states(walk).get("later", ("",))[0] in (HostState.ONLINE, HostState.DEGRADED))
        assert "closed" not in states(walk) and states(walk)["real"][0] is not HostState.OFFLINE


async def test_a_second_console_looks_on_and_takes_over_when_the_first_is_killed(
    inventory: Path, home: Path, sshd: RealSshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = home / ".ssh" / "known_hosts"
    known.parent.mkdir(mode=0o700)
    known.write_text(f"[127.0.0.1]:{sshd.port} {sshd.public_key()}\n")
    # The first console's server, shared by both.
    server = EmbeddedServer(home / ".local" / "share" / "jumpwatch" / "postgres")
    await server.start(lambda line: None)
    first = subprocess.Popen(
        [sys.executable, "-c", POLLER], cwd=SOURCE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    try:
        assert first.stdout is not None
        async with asyncio.timeout(40):
            while await asyncio.to_thread(first.stdout.readline) != "poller\n":
                pass
            async with console() as walk:
                await walk.until(lambda v: v.role is PollerRole.VIEWER)
                await walk.shown("VIEWER")
                await walk.until(lambda v: any(h.sample for h in v.hosts))
                seen = next(h.sample for h in walk.view.hosts if h.sample)
                assert states(walk)["real"][0] in (HostState.ONLINE, HostState.DEGRADED)
                first.send_signal(signal.SIGKILL)
                await walk.until(lambda v: v.role is PollerRole.POLLER)
                await walk.until(
                    lambda v: any(h.sample and h.sample.ts > seen.ts and h.lag_s is not None for h in v.hosts), 15
                )
    finally:
        first.kill()
        first.wait()
        await server.stop()


async def test_a_database_that_is_away_stops_nothing_and_loses_nothing(
    inventory: Path, home: Path, sshd: RealSshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = home / ".ssh" / "known_hosts"
    known.parent.mkdir(mode=0o700)
    known.write_text(f"[127.0.0.1]:{sshd.port} {sshd.public_key()}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("JUMPWATCH_DATABASE_URL", f"postgresql://nobody:secret-word@127.0.0.1:{port}/none")
    async with console(size=(80, 24)) as walk:
        await walk.until(lambda _: states(walk).get("real", ("", ""))[0] is HostState.ONLINE)
        await walk.until(lambda v: v.writer.spooled >= 2)
        await walk.pilot.press("5")
        screen = await walk.shown("refuses connections")
        assert "secret-word" not in screen
    spooled = [p for p in home.rglob("*.spool") if p.stat().st_size]
    assert spooled, "what was not stored stays on disk"
    assert not any(b"secret-word" in p.read_bytes() for p in home.rglob("*") if p.is_file())
