"""All containers of all hosts, those in trouble first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from console.formatting import count, percent, short_bytes
from console.panes.items import ItemsPane
from console.panes.listing import Listing, Row, answer_of, finding_of, vocabulary
from console.panes.listing_columns import (
    age_column,
    facts,
    figure,
    host_column,
    share,
    size,
    state_column,
    text,
    unique,
)
from console.panes.query import Figure
from core.models import ContainerFigures, container_names

if TYPE_CHECKING:
    from console.widgets.line import Line
    from console.widgets.palette import Palette
    from core.models import HostView

_LEVELS = {"restarting": 2, "dead": 2, "paused": 1}
_EVERY_S = 30.0


def container_level(one: ContainerFigures) -> int:
    """Return 2 for what is unhealthy, dead or loops, 1 for what is paused or ended with an error."""
    if one.health == "unhealthy":
        return 2
    return _LEVELS.get(one.state, 0) or (1 if one.exit_code else 0)


def _rows(view: HostView) -> Iterable[Row[ContainerFigures]]:
    found = view.findings.get("containers")
    value = found.finding.value if found else None
    if found is None or not isinstance(value, tuple):
        return
    each = [one for one in value if isinstance(one, ContainerFigures)]
    names = unique(container_names(each), [one.id for one in each])
    for name, one in zip(names, each, strict=True):
        state = one.health if one.health in ("unhealthy", "starting") else one.state
        yield Row(view.host.name, name, one, found.ts, container_level(one), one.cpu_pct or 0.0, state or one.state)


LISTING: Listing[ContainerFigures] = Listing(
    name="containers",
    one="container",
    many="containers",
    lacks="docker or podman",
    way='add the login to the group docker, or sudo = ["containers"] for the host in hosts.toml',
    every_s=_EVERY_S,
    source=finding_of("containers"),
    ask=answer_of("containers"),
    rows=_rows,
    columns=(
        state_column(),
        host_column(),
        text("container", "CONTAINER", 14, lambda one: one.name or one.id, grow=2),
        share("cpu", "CPU", lambda one: one.cpu_pct),
        size("mem", "MEM", lambda one: one.mem),
        text("status", "STATUS", 12, lambda one: one.status, grow=3, dim=True),
        text("image", "IMAGE", 18, lambda one: one.image, worth=105, grow=2, dim=True),
        text("engine", "ENGINE", 7, lambda one: one.engine, worth=140, dim=True),
        size("limit", "LIMIT", lambda one: one.mem_limit, worth=140),
        figure("pids", "PIDS", 5, lambda one: one.pids, worth=120),
        age_column(_EVERY_S),
    ),
    words=vocabulary(
        {
            "cpu": Figure(lambda row, now: row.value.cpu_pct, "percent"),
            "mem": Figure(lambda row, now: row.value.mem, "bytes"),
            "pids": Figure(lambda row, now: row.value.pids),
            "exit": Figure(lambda row, now: row.value.exit_code),
        },
        {
            "container": lambda row: (row.value.name,),
            "image": lambda row: (row.value.image,),
            "engine": lambda row: (row.value.engine,),
            "health": lambda row: (row.value.health or "",),
        },
        lambda row: (row.value.name, row.value.image, row.value.status),
    ),
    past="container",
)


def detail(row: Row[ContainerFigures], width: int, look: Palette) -> list[Line]:
    """Return what the columns do not tell of a container."""
    one = row.value
    use = (
        "" if one.mem is None else f"{short_bytes(one.mem)} of {short_bytes(one.mem_limit)}, CPU {percent(one.cpu_pct)}"
    )
    traffic = [("received", one.rx), ("sent", one.tx), ("read", one.read), ("written", one.written)]
    moved = ", ".join(f"{word} {short_bytes(amount)}" for word, amount in traffic if amount is not None)
    return facts(
        (
            ("status", f"{one.status}{f', health {one.health}' if one.health else ''}"),
            ("image", one.image),
            ("ended", f"exit code {one.exit_code}" if one.exit_code is not None else ""),
            ("uses", use),
            ("since start", moved),
            ("processes", count(one.pids) if one.pids is not None else ""),
            ("id", f"{one.id} ({one.engine})"),
        ),
        width,
        look,
    )


class ContainersPane(ItemsPane):
    """Containers over the fleet."""

    TITLE = "Containers"
    LISTINGS = ((LISTING, detail),)
