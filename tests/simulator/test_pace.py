"""What the benchmarks want of the simulator: even hosts, another interval while it runs, and an honest tally."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.collectors.assemble import SampleAssembler
from core.collectors.frame import FrameReader
from core.collectors.loop import LoopCall, LoopRequest
from core.models import HostSample
from core.simulator.process import SimulatorProcess
from core.simulator.tally import Tally
from core.simulator.wire import paced
from tests.simulator.client import connect, open_loop


async def test_even_hosts_tell_all_they_have_in_each_frame_at_the_pace_that_is_asked_for(tmp_path: Path) -> None:
    simulator = SimulatorProcess(single_port=True, options=["--even", "--slow-every", "0"])
    try:
        hosts = await simulator.start(tmp_path / "state", hosts=3)
        assert [host.name for host in hosts] == ["even-0001", "even-0002", "even-0003"]
        request = LoopRequest(600.0)
        reader, assembler = FrameReader(request.nonce, 1 << 18), SampleAssembler("even-0001")
        found: list[HostSample] = []
        async with await connect(hosts[0]) as connection, await open_loop(connection, request) as process:
            async with asyncio.timeout(30):
                while len(found) < 5:
                    data = await process.stdout.read(1 << 16)
                    assert data
                    found += [assembler.feed(frame, datetime.now(UTC)) for frame in reader.feed(data)]
                    if len(found) == 1:
                        process.stdin.write(b"\n" + LoopCall.pace(0.05)[:4])
                        process.stdin.write(LoopCall.pace(0.05)[4:])  # in two pieces
                process.stdin.write(LoopCall.pace(600.0))
                said = json.loads(str((await connection.run("simulator-tally", check=True)).stdout))
            process.stdin.write_eof()
        assert [one.seq for one in found] == list(range(len(found)))
        for one in found:
            assert (len(one.filesystems or ()), len(one.disks or ()), len(one.interfaces or ())) == (4, 2, 2)
        assert said["frames"] >= 5 and said["late_p99_ms"] >= said["late_p50_ms"] >= 1
    finally:
        await simulator.stop()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [(b"INTERVAL=2.5", 2.5), (b"INTERVAL=0.0001", 0.005), (b"INTERVAL=999999", 3600.0), (b"", None),
     (b"INTERVAL=", None), (b"INTERVAL=-1", None), (b"INTERVAL=nan", None), (b"INTERVAL=1;id", None)],
)  # fmt: skip
def test_the_line_that_changes_the_pace(line: bytes, wanted: float | None) -> None:
    assert paced(line) == wanted


def test_a_tally_begins_anew_with_each_report() -> None:
    tally = Tally()
    for late in (0.0, 0.0004, 0.0034, 99.0):
        tally.sent(late, 1)
    assert json.loads(tally.report()) == {
        "frames": 4, "skipped": 4, "late_p50_ms": 1, "late_p99_ms": 5001, "late_p100_ms": 5001,
    }  # fmt: skip
    assert json.loads(tally.report())["frames"] == 0
