"""What there is to see: each pane of TABS, filled and empty, and each screen that a key leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from console.screens.drawer import Drawer
from console.screens.tabs import TABS
from core.models import DatabaseView, FleetView, PollerRole, SecretRequest
from tests.console.frozen import standing_still
from tests.console.snapshots.picture import written
from tests.console.walking import Cells, Recorded, Walk, walking

FOLDER = Path(__file__).parent
UPDATE = "python -m tests.console.snapshots --update"
ROUTES = FOLDER / "routes.txt"
SIZES = ((80, 24), (120, 40), (160, 50))
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


class Bare(Recorded):
    """No host, no database, nothing that ever happened: what a pane says then has to teach."""

    def __init__(self) -> None:
        super().__init__(0, trouble=False)

    def make_view(self) -> FleetView:
        return replace(super().make_view(), database=DatabaseView(), events=(), role=PollerRole.POLLER, lag_s=None)


def routes() -> dict[str, tuple[str, ...]]:
    """The screens that keys lead to, as they were found when the pictures were last made."""
    lines = ROUTES.read_text(encoding="utf-8").splitlines() if ROUTES.exists() else []
    return {name: tuple(keys) for name, *keys in (line.split() for line in lines if not line.startswith("#"))}


def scenes() -> list[Scene]:
    """Every scene there is."""
    panes = [Scene(f"pane-{tab.name}", (tab.key,), filled) for tab in TABS]
    empty = [Scene(f"empty-{tab.name}", (tab.key,), Bare) for tab in TABS]
    found = [Scene(f"screen-{name}", keys, unlocked) for name, keys in routes().items()]
    typed = [Scene("filter-fleet", ("slash", "c", "p", "u", ">", "3", "0"), filled)]
    return [*panes, *empty, *found, *typed]


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
    """Go to the scene and return what is seen at each size."""
    seen = {}
    async with walking(sizes[0], scene.services(), no_colour=no_colour) as walk:
        await walk.press(*scene.keys)
        for size in sizes:
            if size != sizes[0]:
                await walk.resize(size)
            walk.app.clear_notifications()
            walk.app.main._tick()  # a second goes by
            await walk.settle()
            seen[size] = walk.cells()
    return seen


async def pictures(scene: Scene) -> dict[tuple[int, int], str]:
    """The scene's picture at each size."""
    return {size: written(cells) for size, cells in (await shots(scene)).items()}
