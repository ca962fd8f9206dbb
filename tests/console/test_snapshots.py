"""Pictures of every pane, screen and drawer at three sizes, and what holds of each whatever it shows."""

from __future__ import annotations

import pkgutil
import re
from dataclasses import replace
from importlib import import_module

import pytest
from textual.screen import Screen

import console.screens
from console.screens.base import Cover
from console.screens.tabs import TABS
from console.widgets.severity import HOST_STATES
from core.models import EventLine, FleetView, HostHistory, HostState, HostView, SystemFigures
from tests.console.invariants import ZERO, broken, coloured
from tests.console.snapshots.picture import difference, written
from tests.console.snapshots.scenes import (
    FOLDER,
    SIZES,
    UPDATE,
    Scene,
    filled,
    path,
    scenes,
    shots,
)
from tests.console.walking import Recorded, walking

# Screens that no key leads to.
ELSEWHERE = {
    "CommandPalette": "its picture is Textual's; test_command_line asks what it lists",
    "MainScreen": "it holds the panes",
    "TooSmall": "test_screen makes the terminal small",
}

FRAME = "│╭╰"
UNFRAMED = dict.fromkeys(map(ord, "│╭╮╰╯─▁▂▃▄▅▆▇█"), " ")  # with the scrollbar's ends


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: scene.name)
async def test_the_picture_is_the_stored_one(scene: Scene) -> None:
    said = []
    for size, cells in (await shots(scene)).items():
        file = path(scene.name, size)
        if not file.exists():
            pytest.fail(f"there is no picture of {scene.name}; look at what it draws and store it: {UPDATE}")
        said += [f"{file.stem}: {what}" for what in broken(cells, size)]
        if text := difference(file.stem, file.read_text(encoding="utf-8"), written(cells)):
            said.append(f"{text}\nif that is right: {UPDATE} {scene.name}")
    assert not said, "\n".join(said)


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: scene.name)
async def test_without_colour_it_says_the_same(scene: Scene) -> None:
    # Without a ground of its own what lies over a pane is laid out anew: compared where it is as wide as the screen.
    sizes = SIZES[:1] if scene.name.startswith("screen-") else SIZES
    for size, cells in (await shots(scene, sizes, no_colour=True)).items():
        assert not list(coloured(cells))
        stored = path(scene.name, size).read_text(encoding="utf-8").split("\n\n")[0].splitlines()
        rows = ["|" + "".join(text for text, _ in row).rstrip() for row in cells]
        framed = [row for row in rows if row[1:2] in FRAME]
        if len(framed) < len(rows) - 2:
            assert rows == stored
            continue
        # Without a ground of its own a dialog has a frame, and by that much less room: what it says is said there too.
        coloured_words = set(" ".join(stored).translate(UNFRAMED).split())
        assert set(" ".join(rows).translate(UNFRAMED).split()) <= coloured_words


def test_there_is_a_picture_of_all_and_of_nothing_else() -> None:
    wanted = {path(scene.name, size).name for scene in scenes() for size in SIZES}
    there = {file.name for file in FOLDER.glob("*.*x*.txt")}
    assert there == wanted, f"{sorted(there ^ wanted)}: {UPDATE}"


def test_every_screen_is_led_to_by_keys() -> None:
    drawn = (scene.name.split("-") for scene in scenes() if scene.name.startswith("screen-"))
    known = {name for _, name, *_ in drawn} | ELSEWHERE.keys()
    for module in pkgutil.walk_packages(console.screens.__path__, "console.screens."):
        for name, thing in vars(import_module(module.name)).items():
            ours = isinstance(thing, type) and issubclass(thing, Screen) and thing.__module__ == module.name
            if ours and thing is not Cover and not thing.__subclasses__():
                assert name in known, f"no key leads to {name}: {UPDATE} finds the way, or say in ELSEWHERE why not"


# What a host may send to spoil the screen; each has to be shown as the text it is, or not at all.
EVIL = (
    "[bold red]x[/]",
    "\x1b[31mred\x1b[0m",
    "日本語サーバー名",
    "e\u0301\u0302o\u0308",
    "\u202egnp.exe",
    "a\nb\tc\x07",
)


def hostile(view: FleetView) -> FleetView:
    """The same view, where hosts are named and described by somebody who means harm."""
    hosts = []
    for number, one in enumerate(view.hosts):
        evil = EVIL[number % len(EVIL)]
        host = replace(one.host, name=f"{evil}{number}", tags=(evil,), groups=(evil,), address=f"{evil}.example")
        hosts.append(replace(one, host=host, detail=f"{evil}: {'long ' * 60}{evil}"))
    events = tuple(
        EventLine(line.ts, line.type, line.severity, EVIL[number % len(EVIL)], EVIL[number % len(EVIL)] + line.text)
        for number, line in enumerate(view.events)
    )
    return replace(view, hosts=tuple(hosts), events=events, notices=EVIL)


class Hostile(Recorded):
    def make_view(self) -> FleetView:
        return hostile(super().make_view())


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=str)
async def test_hostile_texts_are_shown_as_texts(size: tuple[int, int]) -> None:
    async with walking(size, Hostile()) as walk:
        assert any("[bold red]" in row for row in walk.text())
        for tab in TABS:
            await walk.press(tab.key)
            assert not list(broken(walk.cells(), size)), tab.title
        for keys in (("1", "g", "enter"), ("1", "m"), ("1", "m", "5"), ("1", "w"), ("4", "G", "enter")):
            await walk.home()
            await walk.press(*keys)
            assert not list(broken(walk.cells(), size)), keys


def unknown(view: HostView) -> HostView:
    """The host with a sample in which no figure is known."""
    sample = view.sample
    if sample is not None:
        sample = replace(
            sample, system=SystemFigures(), filesystems=None, disks=None, interfaces=None, uptime_s=None
        )  # fmt: skip
    return replace(view, sample=sample, history=HostHistory(), findings={}, lag_s=None)


class Unknown(Recorded):
    def make_view(self) -> FleetView:
        view = super().make_view()
        return replace(view, hosts=tuple(unknown(each) for each in view.hosts))


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_what_is_not_known_is_no_zero(size: tuple[int, int]) -> None:
    services = Unknown(trouble=False)
    async with walking(size, services) as walk:
        for tab in TABS:
            await walk.press(tab.key)
            for row in walk.text():
                if tab.name == "host" or any(f" {name} " in row for name in services.names):
                    for part in re.split("[│▁-█]", row):
                        axis = set(part.split()) == {"0"}  # where a plot begins
                        assert axis or not ZERO.search(part), f"{tab.title}: {row!r}"


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_each_state_has_its_glyph_and_its_word(size: tuple[int, int]) -> None:
    services = filled()
    view = services.make_view()
    states = dict(zip([each.host.name for each in view.hosts], [*HostState] * 3, strict=False))
    changed = tuple(replace(each, state=states[each.host.name]) for each in view.hosts)
    services.make_view = lambda: replace(view, hosts=changed)  # type: ignore[method-assign]
    async with walking(size, services) as walk:
        rows = walk.text()
        for name, state in states.items():
            glyph, word = HOST_STATES[state]
            row = next(row for row in rows if row[12:].startswith(name))
            assert row[:12].split() == [glyph, word]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_long_list_ends_above_the_last_line(size: tuple[int, int]) -> None:
    async with walking(size, Recorded(120, trouble=False)) as walk:
        for tab in TABS:
            await walk.press(tab.key, "G")
            rows = walk.text()
            leave = "q quit" if tab.name == "fleet" else "q back"
            assert "help" in rows[-1] and leave in rows[-1], tab.title
            assert not list(broken(walk.cells(), size)), tab.title
        await walk.press("1", "g")
        first = [name for name in walk.services.names if any(f" {name} " in row for row in walk.text())]
        await walk.press("G")
        last = [name for name in walk.services.names if any(f" {name} " in row for row in walk.text())]
        assert "node-0119" in last and first != last and len(last) == len(first)
