"""The console as lines of text: what it says by itself, what it answers, and that nothing in it is drawn."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import pytest

from console import cli
from console.plain import text
from console.plain.program import PlainConsole
from core.models import HostState
from core.models.console import Changes, HostChange
from tests.console.fake_services import FakeServices


@asynccontextmanager
async def plain(services: FakeServices) -> AsyncIterator[tuple[list[str], TextIO]]:
    """Run it over a pipe until its input ends."""
    said: list[str] = []
    reading, writing = os.pipe()
    with os.fdopen(reading) as source, os.fdopen(writing, "w", buffering=1) as keys:
        task = asyncio.create_task(PlainConsole(services, said.append).run(source))
        try:
            await heard(said, "This console is poller")
            yield said, keys
        finally:
            keys.close()
            async with asyncio.timeout(30):
                await task


async def heard(said: list[str], words: str) -> str:
    """Wait until a line has these words, and return it."""
    async with asyncio.timeout(60):
        while True:
            for line in said:
                if words in line:
                    return line
            await asyncio.sleep(0.01)


async def ask(said: list[str], keys: TextIO, line: str, words: str) -> list[str]:
    """Send one line; return what is said until these words were."""
    del said[:]
    keys.write(line + "\n")
    await heard(said, words)
    return list(said)


async def test_it_answers_and_draws_nothing() -> None:
    services = FakeServices(moving=False)
    async with plain(services) as (said, keys):
        start = list(said)
        fleet = await ask(said, keys, "fleet", "web-03")
        assert fleet[0].startswith(("build-01: offline", "db-02: offline"))
        assert any("key-unknown: the host key is not in known_hosts" in line for line in fleet)
        host = await ask(said, keys, "host cache-01", "Updates that wait")
        assert "CPU: not known" in host and "Memory: 58%" in [line[:11] for line in host]
        kept = await ask(said, keys, ":f state:online !web", "mq-01")
        assert not any("web" in line for line in kept)
        assert await ask(said, keys, "hsot", "the nearest is host")
        assert await ask(said, keys, "host web-1", "the nearest is web-01")
        events = await ask(said, keys, "events", "connection refused")
        database = await ask(said, keys, "db", "compression lag: NOT OK")
        assert await ask(said, keys, "changes", "the database is not connected")
        assert await ask(said, keys, "poll web-01", "Polling web-01 now")
        assert services.polled == ["web-01"]
        assert await ask(said, keys, "pause", "Polling is paused") and services.paused
        everything = "".join(start + fleet + host + events + database)
        assert not any("\u2500" <= char <= "\u259f" or char == "\x1b" for char in everything)
    assert services.stopped == 1


async def test_changes_are_said_as_they_come_and_not_while_quiet() -> None:
    services = FakeServices(moving=False)

    def with_state(state: HostState) -> None:
        hosts = tuple(
            replace(each, state=state, version=each.version + 1) if each.host.name == "web-01" else each
            for each in services.view.hosts
        )
        services.push(replace(services.view, hosts=hosts))

    async with plain(services) as (said, keys):
        with_state(HostState.OFFLINE)
        assert (await heard(said, "web-01: offline")).endswith("was online")
        await ask(said, keys, "quiet", "not said by themselves")
        with_state(HostState.ONLINE)
        await ask(said, keys, "summary", "This console is")
        assert not any("was offline" in line for line in said)
        keys.write("quit\n")
        async with asyncio.timeout(30):
            while not services.stopped:
                await asyncio.sleep(0.01)


async def test_news_of_the_last_day() -> None:
    services = FakeServices(moving=False)
    now = datetime.now(UTC)
    services.changes = Changes(now, now, (HostChange("web-01", HostState.ONLINE, HostState.OFFLINE, 2, now, "port"),))
    async with plain(services) as (said, keys):
        assert "web-01: offline, was online, 2 changes. port" in await ask(said, keys, "changes", "web-01")


@pytest.mark.parametrize(
    ("arguments", "variables", "file", "wanted"),
    [
        (["--plain"], {}, "", "plain"),
        (["demo", "--plain"], {}, "", "plain demo"),
        ([], {"JUMPWATCH_CONSOLE_PLAIN": "true"}, "", "plain"),
        ([], {}, "[console]\nplain = true\n", "plain"),
        ([], {}, "[console]\nplain = false\n", "needs a terminal"),
        ([], {"JUMPWATCH_CONSOLE_PLAIN": "false"}, "", "needs a terminal"),
    ],
)
def test_who_asks_for_lines_gets_them_without_a_terminal(
    arguments: list[str], variables: dict[str, str], file: str, wanted: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    config = tmp_path / ".config" / "jumpwatch" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(file)
    ran: list[str] = []
    monkeypatch.setattr(
        "console.composition.run_plain", lambda _load, demo: ran.append("plain demo" if demo else "plain") or 0
    )
    code = cli.main(arguments)
    assert ran == ([wanted] if wanted.startswith("plain") else [])
    assert code == (0 if ran else 2) and (bool(ran) or wanted in capsys.readouterr().err)


def test_hostile_words_stay_words() -> None:
    services = FakeServices(moving=False)
    view = services.make_view()
    bad = replace(view.hosts[0], detail="\x1b[2J\nhosts: 0 offline", state=HostState.OFFLINE)
    line = text.host_line(bad, view.at)
    assert "\x1b" not in line and "\n" not in line


@pytest.mark.parametrize("utc", [True, False])
def test_the_summary_says_which_clock(utc: bool) -> None:
    view = FakeServices(moving=False).make_view()
    assert ("UTC" if utc else "local time") in text.summary(view, read_only=True, utc=utc)[0]
