"""The collector: a program without a screen that polls a real host, stores, and stops when told."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from console.composition import open_storage
from console.composition.storage import Storage
from core.config import load_settings

PROGRAM = (sys.executable, "-m", "console")
CHECK = """
[[checks]]
name = "lamp"
argv = ["sh", "-c", "echo DARK; exit 2"]
"""
ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def collector() -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*PROGRAM, "collect", cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process, *words: str) -> str:
    """Read on until a line has all these words."""
    assert process.stderr is not None
    lines = []
    try:
        async with asyncio.timeout(90):
            while line := (await process.stderr.readline()).decode():
                lines.append(line)
                if all(word in line for word in words):
                    return line
    except TimeoutError:
        pass
    pytest.fail(f"never said {words}: {''.join(lines)}")


async def command(*argv: str) -> str:
    process = await asyncio.create_subprocess_exec(*PROGRAM, *argv, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode()


async def stored(storage: Storage) -> int:
    async with storage.database.connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM host_samples"))).scalar_one())


async def test_it_polls_a_key_accepted_elsewhere_stores_and_stops_when_told(inventory: Path) -> None:
    async with collector() as process:
        fingerprint = next(w for w in (await said(process, "real", "SHA256:")).split() if w.startswith("SHA256:"))
        await command("hosts", "accept", "real", fingerprint.rstrip(",;:"))
        await said(process, "real: ", "-> online")
        async with open_storage(load_settings(), lambda _line: None) as storage:
            async with asyncio.timeout(90):
                while not await stored(storage):
                    await asyncio.sleep(0.2)
        inventory.with_name("checks.toml").write_text(CHECK)  # taken up while it runs
        await said(process, "read again: 0 and 1")
        await said(process, "check:lamp", "DARK")
        process.send_signal(signal.SIGTERM)
        await said(process, "stopped")
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert json.loads(await command("audit", "--json")) == []
