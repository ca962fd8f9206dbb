"""One alert in full, as lines: what, against which limit, what to do, what was said of it, and its history."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from console.formatting import clean, moment, span
from console.panes.alert_list import LEVELS, STATES, level_style, said
from console.widgets.line import Line, wrap

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from core.models import Alert

_CHANGES = {
    "raised": "!",
    "worse": "▲",
    "acknowledged": "✓",
    "silenced": "○",
    "unsilenced": "!",
    "resolved": "●",
}


def alert_lines(alert: Alert, now: datetime, width: int, utc: bool, look: Palette) -> list[Line]:
    """Return the alert for a sheet of that width."""
    width = max(20, width)
    glyph, word = LEVELS[alert.severity]
    head = Line().add(f"{glyph} {word}  ", level_style(alert, look))
    head.add(clean(alert.title), look.strong).add(f"  rule {clean(alert.rule)}", look.dim)
    lines = [head]

    def para(label: str, text: str, style: object = None) -> None:
        for number, part in enumerate(wrap(clean(text), width - 10)):
            line = Line().cell("" if number else label, 10, look.dim)
            lines.append(line.add(part, style or look.text))  # type: ignore[arg-type]

    para("where", f"{alert.host or 'Jumpwatch itself'} {alert.item}".strip())
    para("what", alert.text + (f", {alert.forecast}" if alert.forecast and alert.forecast not in alert.text else ""))
    para("limit", alert.limit)
    end = alert.resolved or now
    lasted = span((end - alert.raised).total_seconds())
    over = f", over at {moment(alert.resolved, utc)}" if alert.resolved else ""
    para("since", f"{moment(alert.raised, utc)}{' UTC' if utc else ''}, for {lasted}{over}")
    glyph, word = STATES[alert.state]
    more = said(alert, now)
    para("state", f"{glyph} {alert.state}" + (f" ({more})" if more else ""))
    para("to do", alert.advice, look.info)
    if alert.changes:
        lines.append(Line().cell("history", 10, look.dim))
    for change in reversed(alert.changes):
        who = f" by {clean(change.actor)}" if change.actor else ""
        note = f": {clean(change.note)}" if change.note else ""
        text = f"{_CHANGES.get(change.change, '·')} {change.change}{who}{note}"
        line = Line().gap(2).add(moment(change.ts, utc, "%m-%d %H:%M:%S"), look.dim).gap()
        lines.append(line.add(f"{text}  ", look.text).add(clean(change.text), look.dim))
    return lines


def nothing_lines(look: Palette, filtered: bool, watching: bool) -> list[Line]:
    """Return what the pane says where no alert stands: that this is good, and how rules are made."""
    if filtered:
        return [Line(), Line().gap().add("no alert passes the filter: esc clears it", look.dim)]
    if not watching:
        return [Line(), Line().gap().add("○ nothing is known yet: hosts and database are being reached", look.dim)]
    text = (
        "Hosts that stay away, disks that fill (and when they will be full), memory, failed units, containers, drives, "
        "ZFS, clocks, certificates and Jumpwatch's own database are watched by default."
    )
    lines = [Line(), Line().gap().add("● no alerts", look.ok), Line()]
    lines += [Line().gap().add(part, look.dim) for part in wrap(text, 76)]
    lines += [Line(), Line().gap().add("Rules of your own: alerts.toml beside hosts.toml", look.dim), Line()]
    for example in ("[[rules]]", 'name = "disk-full"', "warning = 80", "error = 90", 'groups = ["db"]'):
        lines.append(Line().gap(3).add(example, look.text))
    return lines
