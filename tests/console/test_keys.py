"""Every key of the help has the effect that was looked at; random keys crash, hang and confirm nothing."""

from __future__ import annotations

import os
import random

import pytest
from textual.widgets import Input

from console.panes.fleet_table import FleetTable
from console.screens.tabs import TABS, Tab
from tests.console.invariants import broken
from tests.console.keywalk import pane_keys, screen_keys, sure
from tests.console.snapshots.scenes import UPDATE, effects, filled, one_drawer, routes
from tests.console.walking import Recorded, Walk, walking

SIZE = (80, 24)
SHARES = 4
COUNT = int(os.environ.get("JUMPWATCH_TEST_KEYS", "300"))
SEED = 20_260_314
# Only what a typed word stands before; whoever gives the port another such call adds it here.
CONFIRMED = ("apply", "accept_host_key", "accept_host_keys", "answer_secret")
EXTRA = ("y", "n", "enter", "tab", "escape", "space", "a", "x", "backspace", "G", "9", "colon", "up", "left", "A", "D")


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.name)
async def test_every_key_of_a_pane_does_what_it_says(tab: Tab) -> None:
    async with walking(SIZE, filled()) as walk:
        found = await pane_keys(walk, tab)
    assert not found.dead, "\n".join(found.dead)
    assert found.tried > 15
    assert sure(found.effects) == sure(effects(tab.title)), (
        f"a key does something else; look at it and store it: {UPDATE}"
    )
    assert found.routes.keys() <= routes().keys(), f"a screen that nobody has looked at: {UPDATE}"


@pytest.mark.parametrize("name", one_drawer())
async def test_every_key_of_a_screen_does_what_it_says(name: str) -> None:
    async with walking(SIZE, filled()) as walk:
        found = await screen_keys(walk, name, routes()[name])
    assert not found.dead, "\n".join(found.dead)
    assert sure(found.effects) == sure(effects(name)), f"a key leads elsewhere; look and store it: {UPDATE}"
    assert found.routes.keys() <= routes().keys(), f"a screen that nobody has looked at: {UPDATE}"


async def _pool(walk: Walk) -> list[str]:
    """Every key that is live on some pane, but the one that leaves at once."""
    keys = set(EXTRA)
    for tab in TABS:
        await walk.press(tab.key)
        keys |= {live.binding.key for live in walk.live()}
    return sorted(keys - {"ctrl+q"})


async def _back_home(walk: Walk, said: str) -> None:
    """Escape twice (or once a screen, where keys opened three) and 1: the fleet is there, and usable."""
    for _ in range(max(2, len(walk.app.screen_stack) - 1)):
        await walk.press("escape")
    await walk.press("1")
    assert walk.screen is walk.app.main, f"{said}: {walk.screen!r} stays"
    assert walk.app.main.pane.id == "fleet", said
    table = walk.app.main.query_one(FleetTable)
    if walk.app.focused is not table:
        assert not isinstance(walk.app.focused, Input), f"{said}: {walk.app.focused!r} keeps the keyboard"
    assert len(table.rows) == len(walk.services.names), f"{said}: hosts are hidden"
    walk.send("g")
    await walk.press("j")
    assert table.cursor == 1, f"{said}: the cursor does not move"


@pytest.mark.parametrize("share", range(SHARES))
async def test_random_keys_do_no_harm(share: int) -> None:
    dice = random.Random(SEED + share)
    async with walking(SIZE, filled()) as walk:
        pool = await _pool(walk)
        await walk.press("1")
        for number in range(COUNT // SHARES):
            walk.services.restock()
            walk.services.read_only = bool(number % 2)
            walk.app.clear_notifications()
            start = dice.choice(TABS).key
            keys = dice.choices(pool, k=3)
            said = f"seed {SEED}, share {share}, number {number}: {start} {' '.join(keys)}"
            if start != "1":
                await walk.press(start)
            if number % 3:
                await walk.press(*keys)
            else:  # in haste: no key waits for what the one before does
                for key in keys:
                    walk.send(key)
                await walk.settle()
            assert walk.app._exception is None, said
            done = [call for call in walk.services.calls if call in CONFIRMED]
            assert not done and not walk.services.applied, f"{said}: {done} without a typed confirmation"
            assert not list(broken(walk.cells(), SIZE)), said
            await _back_home(walk, said)


async def test_a_pane_left_in_haste_keeps_no_keyboard() -> None:
    async with walking(SIZE, filled()) as walk:
        await walk.press("8")
        for key in ("q", "slash"):  # the second one reaches the pane that the first one leaves
            walk.send(key)
        await walk.settle()
        await _back_home(walk, "8 q slash")


async def test_a_page_of_the_palette_turned_in_haste_is_no_crash() -> None:
    async with walking(SIZE, filled()) as walk:
        for _ in range(5):
            for key in ("ctrl+p", "pagedown", "T"):
                walk.send(key)
            await walk.settle()
            assert walk.app._exception is None
            await _back_home(walk, "ctrl+p pagedown T")


async def test_the_program_can_be_left() -> None:
    async with walking(SIZE, Recorded()) as walk:
        await walk.press("q", "n", "q", "escape")
        assert not walk.left
        await walk.press("q", "y")
        assert walk.left == 1 and walk.services.stopped == 1
        await walk.press("ctrl+q")
        assert walk.left == 2
