"""Files copied over a real sshd: whole or not at all, and never over another one unless its name is typed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.events import EventBus
from core.exceptions import BusinessLogicError, ResourceNotFoundError
from tests.hostwork.bench import Bench
from tests.hostwork.conftest import MakeReach

DATA = bytes(range(256)) * 12_000  # more than two blocks


@pytest.fixture
async def bench(make_reach: MakeReach) -> AsyncIterator[Bench]:
    async with EventBus() as bus:
        yield Bench(bus, make_reach())


async def test_a_file_goes_there_and_back(bench: Bench, tmp_path: Path) -> None:
    here, there, back = tmp_path / "here", tmp_path / "there", tmp_path / "back"
    here.write_bytes(DATA)
    there.mkdir()
    plan = await bench.plan("file.send", "real", local=str(here), remote=str(there))  # into a folder
    assert (
        plan.confirm == "real"
        and not plan.destructive
        and f"real:{there}/here, new" in plan.targets[0].note + plan.targets[0].name
    )
    seen: list[tuple[int, int, str]] = []
    outcome = await bench.operations.apply(plan, "real", "tester", lambda *each: seen.append(each))
    assert outcome.ok and (there / "here").read_bytes() == DATA and "2.9 MiB copied" in outcome.summary
    assert [share for share, total, _ in seen if total == 100] and any("MiB of" in words for _, _, words in seen)
    plan = await bench.plan("file.fetch", "real", local=str(back), remote=str(there / "here"))
    assert (await bench.apply(plan)).ok and back.read_bytes() == DATA and back.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in there.iterdir()) == ["here"]


@pytest.mark.parametrize("action", ["file.send", "file.fetch"])
async def test_a_file_that_is_there_is_replaced_only_by_its_name(bench: Bench, tmp_path: Path, action: str) -> None:
    new, old = tmp_path / "new", tmp_path / "old.conf"
    new.write_text("new")
    old.write_text("old")
    old.chmod(0o640)
    ends = (new, old) if action == "file.send" else (old, new)
    plan = await bench.plan(action, "real", local=str(ends[0]), remote=str(ends[1]))
    assert plan.destructive and plan.confirm == "old.conf" and "is there already" in plan.warnings[0]
    with pytest.raises(BusinessLogicError, match="not confirmed"):
        await bench.operations.apply(plan, "real", "tester")
    assert old.read_text() == "old"
    assert (await bench.apply(plan)).ok
    assert old.read_text() == "new" and old.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("action", ["file.send", "file.fetch"])
async def test_a_file_that_appears_meanwhile_is_not_lost(bench: Bench, tmp_path: Path, action: str) -> None:
    new, late = tmp_path / "new", tmp_path / "late"
    new.write_text("new")
    ends = (new, late) if action == "file.send" else (late, new)
    plan = await bench.plan(action, "real", local=str(ends[0]), remote=str(ends[1]))
    late.write_text("mine")
    with pytest.raises(BusinessLogicError, match="stale"):
        await bench.apply(plan)
    async with bench.operations._reach.session("real") as session:  # type: ignore[union-attr]
        with pytest.raises(Exception, match="is there already"):
            if action == "file.send":
                await session.send_file(str(new), str(late), overwrite=False, on_bytes=lambda *_: None)
            else:
                await session.fetch_file(str(new), str(late), overwrite=False, on_bytes=lambda *_: None)
    assert late.read_text() == "mine" and sorted(p.name for p in tmp_path.iterdir() if "jumpwatch" in p.name) == []


async def test_what_is_not_there_or_no_file_is_said(bench: Bench, tmp_path: Path) -> None:
    for local, remote in ((tmp_path / "none", "/tmp/x"), (tmp_path, "/tmp/x")):
        with pytest.raises(ResourceNotFoundError):
            await bench.plan("file.send", "real", local=str(local), remote=remote)
    with pytest.raises(ResourceNotFoundError, match="is not there"):
        await bench.plan("file.fetch", "real", local=str(tmp_path / "a"), remote=str(tmp_path / "none"))
    (tmp_path / "a").write_text("a")
    plan = await bench.plan("file.send", "real", local=str(tmp_path / "a"), remote=str(tmp_path / "no" / "way"))
    outcome = await bench.apply(plan)
    assert not outcome.ok and "no/way" in outcome.failed[0][1]
