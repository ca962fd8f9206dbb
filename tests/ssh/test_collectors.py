"""The slow collectors over a real sshd, on this machine: each is read, or says why not."""

from __future__ import annotations

import asyncio

from core.collectors.catalog import COLLECTORS, check
from core.models import Finding, SectionStatus
from tests.ssh.conftest import MakeFactory
from tests.ssh.sshd import RealSshd


async def test_every_kind_runs_beside_the_others(sshd: RealSshd, make_factory: MakeFactory) -> None:
    session = await make_factory().connect(sshd.host())
    plugin = check("echo", ["sh", "-c", "echo 'ECHO OK | n=3;5;9;0'; exit 0"])

    async def found(name: str) -> Finding:
        collector = COLLECTORS.get(name, plugin)
        result = await session.run(collector.command(), timeout_s=60.0, max_output=collector.max_output)
        return collector.read(result)

    try:
        kinds = [name for name in COLLECTORS if name != "updates"]  # apt-get may take long on a busy machine
        findings = await asyncio.gather(*(found(name) for name in [*kinds, plugin.name]))
    finally:
        await session.close()
    for finding in findings:
        assert finding.status is not SectionStatus.BROKEN, finding
        assert (finding.value is None) == (finding.status is not SectionStatus.OK)
    by_kind = {finding.kind: finding for finding in findings}
    assert by_kind["processes"].status is by_kind["ports"].status is by_kind["check:echo"].status is SectionStatus.OK
