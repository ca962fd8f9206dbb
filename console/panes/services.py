"""Failed and chosen units of all hosts, failed ones first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from console.formatting import count, short_bytes
from console.panes.items import ItemsPane
from console.panes.listing import Listing, Row, answer_of, finding_of, vocabulary
from console.panes.listing_columns import age_column, facts, figure, host_column, share, size, state_column, text
from console.panes.query import Figure
from core.models import ServiceFigures

if TYPE_CHECKING:
    from console.widgets.line import Line
    from console.widgets.palette import Palette
    from core.models import HostView

_EVERY_S = 60.0


def _rows(view: HostView) -> Iterable[Row[ServiceFigures]]:
    found = view.findings.get("services")
    value = found.finding.value if found else None
    if found is None or not isinstance(value, tuple):
        return
    for one in value:
        if isinstance(one, ServiceFigures):
            state = "not found" if one.load == "not-found" else one.active or "unknown"
            bad = 2 if one.failed else 0 if one.active in ("active", "reloading") else 1
            yield Row(view.host.name, one.unit, one, found.ts, bad, float(one.restarts or 0), state)


def _why(one: ServiceFigures) -> str:
    return (one.result if one.failed and one.result else one.sub) or ""


LISTING: Listing[ServiceFigures] = Listing(
    name="services",
    one="unit",
    many="units",
    lacks="systemd or OpenRC",
    way="let the login ask systemd",
    every_s=_EVERY_S,
    source=finding_of("services"),
    ask=answer_of("services"),
    rows=_rows,
    columns=(
        state_column(13),
        host_column(),
        text("unit", "UNIT", 18, lambda one: one.unit, grow=3),
        text("why", "WHY", 11, _why),
        figure("restarts", "RESTARTS", 8, lambda one: one.restarts, worth=76),
        share("cpu", "CPU", lambda one: one.cpu_pct, worth=110),
        size("mem", "MEM", lambda one: one.memory, worth=100),
        text("description", "DESCRIPTION", 20, lambda one: one.description, worth=105, grow=4, dim=True),
        age_column(_EVERY_S),
    ),
    words=vocabulary(
        {
            "restarts": Figure(lambda row, now: row.value.restarts),
            "cpu": Figure(lambda row, now: row.value.cpu_pct, "percent"),
            "mem": Figure(lambda row, now: row.value.memory, "bytes"),
            "tasks": Figure(lambda row, now: row.value.tasks),
        },
        {
            "unit": lambda row: (row.value.unit,),
            "why": lambda row: (_why(row.value),),
            "active": lambda row: (row.value.active or "",),
        },
        lambda row: (row.value.unit, row.value.description),
    ),
    past="unit",
)


def detail(row: Row[ServiceFigures], width: int, look: Palette) -> list[Line]:
    """Return what the columns do not tell of a unit."""
    one = row.value
    return facts(
        (
            ("unit", f"{one.unit}{' (watched)' if one.chosen else ''}"),
            ("is", one.description),
            ("state", ", ".join(word for word in (one.load, one.active, one.sub) if word)),
            ("result", one.result if one.failed and one.result else ""),
            ("restarts", "" if one.restarts is None else f"{one.restarts} since it was started"),
            ("memory", "" if one.memory is None else short_bytes(one.memory)),
            ("tasks", "" if one.tasks is None else count(one.tasks)),
            ("main pid", "" if one.main_pid is None else str(one.main_pid)),
        ),
        width,
        look,
    )


class ServicesPane(ItemsPane):
    """Units over the fleet."""

    TITLE = "Services"
    LISTINGS = ((LISTING, detail),)
    NOTHING = (
        "No unit has failed, and none is chosen to be watched:",
        "jumpwatch hosts set NAME services+=nginx.service shows it here whatever its state.",
    )
