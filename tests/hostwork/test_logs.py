"""Logs followed over a real sshd: what comes, what is said, and that nothing of it is left on the host."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from console.messages import LogsWanted
from core.collectors.logs import LogReader
from core.models import LogFeed, LogSource
from core.operations.logs import follow
from tests.console.driving import running, screen_text
from tests.console.driving import until as screen_until
from tests.console.fake_services import FakeServices
from tests.hostwork.conftest import MakeReach, play
from tests.ssh.sshd import processes_with

RECORD = {"__REALTIME_TIMESTAMP": "1893456000000000", "PRIORITY": "3", "SYSLOG_IDENTIFIER": "nginx", "MESSAGE": "bad"}


async def until(met: object) -> None:
    async with asyncio.timeout(60):
        while not met():  # type: ignore[operator]
            await asyncio.sleep(0.02)


def play_docker(tools: Path, mark: str) -> None:
    """A container's log that goes on, silent after its first lines, so that no closed pipe could end it."""
    play(tools, "docker", f"echo 2030-01-01T00:00:00.5Z one; echo 2030-01-01T00:00:01Z two >&2; exec sleep {mark}")


@pytest.mark.parametrize("sudo", [(), ("logs",)])
async def test_the_follower_is_gone_from_the_host_when_it_is_closed(
    make_reach: MakeReach, tools: Path, sudo: tuple[str, ...]
) -> None:
    mark = f"7313.{len(sudo)}{id(tools) % 1000000:06d}"
    play_docker(tools, mark)
    play(tools, "sudo", 'shift; exec "$@"')
    reach = make_reach(sudo=("containers",) if sudo else ())
    feed = LogFeed()
    task = asyncio.create_task(follow(reach, LogSource("real", container="shop", engine="docker"), feed))
    await until(lambda: len(feed.records) == 2)
    assert feed.state == "following" and {record.text for record in feed.records} == {"one", "two"}
    assert processes_with(mark)
    task.cancel()
    await asyncio.wait({task})
    await until(lambda: not processes_with(mark))
    async with reach.session("real") as session:  # the kept connection outlives the log
        assert (await session.run(["echo", "on"])).stdout == "on\n"


async def test_a_flood_stays_within_its_bounds(make_reach: MakeReach, tools: Path) -> None:
    play(tools, "docker", "seq -f '2030-01-01T00:00:00Z line %.0f' 20000")
    feed = LogFeed(most=100)
    await asyncio.wait_for(follow(make_reach(), LogSource("real", container="shop", engine="docker"), feed), 60)
    assert feed.state == "ended" and len(feed.records) == 100 and feed.dropped == 19_900
    assert feed.records[-1].text == "line 20000"


async def test_a_follower_that_fails_says_why(make_reach: MakeReach, tools: Path) -> None:
    play(tools, "docker", "echo 'Error: No such container: shop' >&2; exit 1")
    feed = LogFeed()
    await asyncio.wait_for(follow(make_reach(), LogSource("real", container="shop", engine="docker"), feed), 60)
    assert feed.state == "ended" and "exit 1" in feed.note
    assert [record.text for record in feed.records] == ["Error: No such container: shop"]


async def test_a_host_that_is_not_there_is_told_in_the_feed(make_reach: MakeReach) -> None:
    feed = LogFeed()
    await follow(make_reach(), LogSource("nobody"), feed)
    assert feed.state == "ended" and "nobody" in feed.note
    feed = LogFeed()
    await follow(make_reach("away", port=1), LogSource("away"), feed)
    assert feed.state == "ended" and "refused" in feed.note


def test_journal_records_are_read_whatever_is_in_them() -> None:
    reader = LogReader(LogSource("a"))
    hostile = {
        **RECORD,
        "MESSAGE": "\x1b[31m[bold]red\x1b[0m\x07\nnext",
        "PRIORITY": "9",
        "SYSLOG_IDENTIFIER": "a\x1b]0;x",
    }
    odd = [
        {"MESSAGE": [104, 105]},
        {"MESSAGE": None},
        {"MESSAGE": ["a", "b"]},
        {"__REALTIME_TIMESTAMP": "9" * 40},
        [1],
        7,
    ]
    text = "\n".join(["noise of a login shell", "@jw journal", json.dumps(RECORD), json.dumps(hostile),
                      *(json.dumps(each) for each in odd), "{half", ""])  # fmt: skip
    data = text.encode() + b"\xff\xfe\n"
    records = [record for cut in range(0, len(data), 7) for record in reader.feed(data[cut : cut + 7])]
    first, second, *rest = records
    assert (first.priority, first.source, first.text) == (3, "nginx", "bad")
    assert first.ts is not None and first.ts.isoformat() == "2030-01-01T00:00:00+00:00"
    assert second.priority is None and second.text == "[bold]red  next" and second.source.isprintable()
    assert [record.text for record in rest[:3]] == ["hi", "(no message)", "(more than one message)"]
    assert len(records) == 10 and all(record.text.isprintable() for record in records)
    assert [record.number for record in records] == list(range(1, 11))


def test_what_is_absent_forbidden_or_partial_says_the_way_out() -> None:
    def told(text: str, errors: str = "", source: LogSource | None = None) -> str:
        reader = LogReader(source or LogSource("a"))
        reader.feed(text.encode())
        reader.complain(errors.encode())
        return reader.note

    assert told("@jw journal\n") == ""
    assert told("@jw none\n").startswith("absent: neither a journal nor")
    assert "forbidden: /var/log/syslog" in told("@jw denied /var/log/syslog\n@jw none\n")
    hint = "Hint: You are currently not seeing messages from other users and the system.\n"
    assert "systemd-journal" in told("@jw journal\n", hint)
    assert told("@jw file /var/log/syslog\n", "", LogSource("a", unit="x")).endswith("all units of it")
    assert told("@jw journal\n", "\x1b[31mFailed to add match\n").isprintable()


def test_syslog_lines_are_read_in_both_forms() -> None:
    reader = LogReader(LogSource("a"))
    lines = ("@jw file /var/log/syslog", "Jan  2 03:04:05 web sshd[12]: hello: there",
             "2030-01-02T03:04:05.5+01:00 web cron: run", "odd", "")  # fmt: skip
    old, new, odd = reader.feed("\n".join(lines).encode())
    assert (old.ts, old.source, old.text) == (None, "sshd", "hello: there")
    assert new.ts is not None and new.source == "cron" and odd.text == "odd"


def test_an_endless_line_is_cut() -> None:
    reader = LogReader(LogSource("a", container="x", engine="docker"))
    records = [record for _ in range(40) for record in reader.feed(b"x" * (1 << 16))]
    assert records and all(len(record.text) <= 4000 for record in records)
    assert len(reader._half) <= 1 << 18


async def test_closing_the_screen_ends_the_follower_on_the_host(make_reach: MakeReach, tools: Path) -> None:
    mark = f"7414.{id(tools) % 1000000:06d}"
    play(tools, "docker", f"printf '2030-01-01T00:00:00Z \\033[2J[b]hostile\\007\\n'; exec sleep {mark}")
    reach = make_reach()

    class Services(FakeServices):
        async def follow_logs(self, source: LogSource, feed: LogFeed) -> None:
            await follow(reach, source, feed)

    async with running(Services(moving=False)) as (app, pilot, _):
        app.main.pane.post_message(LogsWanted("real", container="shop", engine="docker"))
        await screen_until(pilot, lambda: "[b]hostile" in screen_text(app))
        assert processes_with(mark) and "\x1b" not in screen_text(app)
        await pilot.press("escape")
        await screen_until(pilot, lambda: app.screen is app.main)
        await until(lambda: not processes_with(mark))
