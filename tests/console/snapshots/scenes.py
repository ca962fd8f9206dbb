"""What there is to see: each pane of TABS, filled and empty, and each screen that a key leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textual._callback import invoke

from console.screens.drawer import Drawer
from console.screens.tabs import TABS
from console.widgets.linesview import LinesView
from core.models import DatabaseView, FleetView, HostResult, PollerRole, SecretRequest
from tests.console.frozen import standing_still
from tests.console.snapshots.picture import written
from tests.console.walking import Cells, Recorded, Walk, walking

FOLDER = Path(__file__).parent
UPDATE = "python -m tests.console.snapshots --update"
ROUTES = FOLDER / "routes.txt"
EFFECTS = FOLDER / "effects.txt"
SIZES = ((80, 24), (120, 40), (160, 50))
# Screens that more keys lead to than the walk tries, one after the other.
BY_HAND = {
    "AskUnit": ("1", "space", "space", "a", "enter"),
    "CompareScreen": ("1", "space", "space", "c"),
    "DetailScreen": ("5", "tab", "tab", "enter"),
    "Drawer-rollup.refresh": ("5", "G", "U", "5"),
    "RefreshDialog": ("5", "G", "U"),
    "Drawer-unit.restart": ("1", "a", "enter"),
}
TICKS = 5  # seconds until a pane has counted each of its lists
LOOKS = 8  # so often a screen is drawn anew until it stays the same
SECRETS = (
    SecretRequest("passphrase", "/home/ann/.ssh/id_ed25519", "Passphrase:", hosts=("web-01", "web-02")),
    SecretRequest("password", "ann@store", "Password:", hosts=("backup-01",), refused=True),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A name, the keys that lead there from the start, and the services behind it."""

    name: str
    keys: tuple[str, ...]
    services: Callable[[], Recorded]


def filled() -> Recorded:
    """A fleet with a host in each kind of trouble, keys to review, logins that ask."""
    with standing_still():
        services = Recorded()
    services.secrets = SECRETS
    services.notices = ("the demo runs on an embedded PostgreSQL: Node 20 is missing",)
    return services


def unlocked() -> Recorded:
    """The same with read-only left, so that drawers may apply."""
    services = filled()
    services.read_only = False
    return services


def answering() -> Recorded:
    """The same, and what is applied has answers of hosts."""
    services = unlocked()
    services.results = tuple(
        HostResult(host, ok=not failed, exit_code=failed, output="no space left" if failed else "done\nin 0.2 s")
        for host, failed in (("web-01", 0), ("web-02", 0), ("store-01", 1))
    )
    return services


class Bare(Recorded):
    """No host, no database, nothing that ever happened: what a pane says then has to teach."""

    def __init__(self) -> None:
        super().__init__(0, trouble=False)

    def make_view(self) -> FleetView:
        return replace(super().make_view(), database=DatabaseView(), events=(), role=PollerRole.POLLER, lag_s=None)


def routes() -> dict[str, tuple[str, ...]]:
    """The screens that keys lead to: as they were found when the pictures were last made, and those known by hand."""
    lines = ROUTES.read_text(encoding="utf-8").splitlines() if ROUTES.exists() else []
    found = (line.split() for line in lines if not line.startswith("#"))
    return {**{name: tuple(keys) for name, *keys in found}, **BY_HAND}


def one_drawer() -> list[str]:
    """The screens, but one drawer for all: they differ in the plan alone."""
    names = routes()
    drawers = sorted(name for name in names if name.startswith("Drawer-"))
    return [name for name in names if name not in drawers[1:]]


def effects(of: str) -> list[str]:
    """What each key of that pane or screen did when somebody last looked at it."""
    return [line for line in EFFECTS.read_text(encoding="utf-8").splitlines() if line.startswith(f"{of}: ")]


def scenes() -> list[Scene]:
    """Every scene there is."""
    panes = [Scene(f"pane-{tab.name}", (tab.key,), filled) for tab in TABS]
    empty = [Scene(f"empty-{tab.name}", (tab.key,), Bare) for tab in TABS]
    found = [
        Scene(f"screen-{name}", keys, unlocked if name.startswith("Drawer-") else filled)
        for name, keys in routes().items()
    ]
    typed = [Scene("filter-fleet", ("slash", "c", "p", "u", ">", "3", "0"), filled)]
    more = [
        Scene("screen-Guide", ("1", "colon", *"guide", "enter"), filled),
        Scene(
            "screen-ResultScreen",
            (*BY_HAND["Drawer-unit.restart"], "tab", *"restart", "enter", "enter", "o"),
            answering,
        ),
    ]
    return [*panes, *empty, *found, *typed, *more]


def name_of(walk: Walk) -> str:
    """The name of the screen on top: its class, and what a drawer would do."""
    screen = walk.screen
    more = "-" + screen.operation.plan.request.action if isinstance(screen, Drawer) else ""
    return type(screen).__name__ + more


def path(name: str, size: tuple[int, int]) -> Path:
    """Where the picture of that size lies."""
    return FOLDER / f"{name}.{size[0]}x{size[1]}.txt"


async def shots(
    scene: Scene, sizes: Sequence[tuple[int, int]] = SIZES, *, no_colour: bool = False
) -> dict[tuple[int, int], Cells]:
    """Go to the scene and return what is seen at each of the sizes."""
    seen = {}
    async with walking(sizes[0], scene.services(), no_colour=no_colour) as walk:
        await walk.press(*scene.keys)
        kind, _, wanted = scene.name.partition("-")
        assert kind != "screen" or name_of(walk) == wanted, f"{' '.join(scene.keys)} leads to {name_of(walk)}"
        for size in sizes:
            if size != sizes[0]:
                await walk.resize(size)
            seen[size] = await _come_to_rest(walk)
    return seen


async def _come_to_rest(walk: Walk) -> Cells:
    """Let seconds go by until the screen looks as it did before."""
    last: Cells = []
    for turn in range(LOOKS):
        walk.app.clear_notifications()
        for _ in range(1 if turn else TICKS):
            walk.app.main._tick()
        for timer in list(walk.screen._timers):
            if timer._callback is not None and walk.screen is not walk.app.main:
                await invoke(timer._callback)
        for sheet in walk.screen.query(LinesView):
            sheet.refresh(layout=True)  # the height of one may be that of the lines it had before
        await walk.settle()
        now = walk.cells()
        if now == last:
            return now
        last = now
    raise AssertionError(f"{walk.screen!r} does not come to rest")


async def pictures(scene: Scene) -> dict[tuple[int, int], str]:
    """The scene's picture at each size."""
    return {size: written(cells) for size, cells in (await shots(scene)).items()}
