"""How many hosts a list covers, in words: absent, forbidden, unanswered and a true none are told apart. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.formatting import clean
from console.widgets.line import Line, wrap

if TYPE_CHECKING:
    from console.panes.listing import Coverage, Listing, Rows
    from console.widgets.palette import Palette

_NAMED = 4  # hosts named before "and 12 more"


def _of(amount: int, coverage: Coverage, verb: str, verbs: str) -> str:
    """Return ``1 of 14 hosts refuses``."""
    hosts = "host" if coverage.hosts == 1 else "hosts"
    return f"{amount} of {coverage.hosts} {hosts} {verb if amount == 1 else verbs}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(clean(name) for name in names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def summary(rows: Rows, shown: int, look: Palette, width: int) -> list[Line]:
    """Return the line above the list, and one for hosts that refuse or do not answer, with the way out."""
    listing, coverage = rows.listing, rows.coverage
    what = listing.one if rows.total == 1 else listing.many
    parts: list[tuple[str, Any]] = [
        (f"{rows.total} {what} on {_of(coverage.having, coverage, '', '').rstrip()}", look.text)
    ]
    if shown != rows.total:
        parts.append((f"{shown} shown", look.key))
    for amount, glyph, style in ((rows.worst[2], "✗", look.bad), (rows.worst[1], "▲", look.warn)):
        if amount:
            parts.append((f"{glyph} {amount} {'bad' if glyph == '✗' else 'to look at'}", style))
    if coverage.empty:
        parts.append((f"{coverage.empty} with none", look.dim))
    if coverage.absent:
        parts.append((f"{len(coverage.absent)} without {listing.lacks}", look.dim))
    if coverage.unasked:
        parts.append((f"{len(coverage.unasked)} not known yet", look.dim))
    line = Line().gap()
    for number, (text, style) in enumerate(parts):
        room = width - line.width - 3
        if number and len(text) > room:
            break
        line.add(" · " if number else "", look.faint).add(text, style)
    lines = [line]
    for hosts, words in ((coverage.forbidden, "refuse"), (coverage.failed, "did not answer")):
        if hosts:
            names = _names([host for host, _ in hosts])
            text = f"▲ {len(hosts)} {words} ({names}): {clean(hosts[0][1]) or listing.way}"
            lines += [Line().gap().add(part, look.warn) for part in wrap(text, width - 2, 2)]
    return lines


def nothing(rows: Rows, extra: Sequence[str], look: Palette, width: int) -> list[Line]:
    """Return what an empty list says: why there is nothing, host by host's answer, and what to do."""
    listing, coverage = rows.listing, rows.coverage
    room = max(20, width - 8)
    lines = [Line()]

    def say(text: str, style: Any, indent: int = 2) -> None:
        lines.extend(Line().gap(indent).add(part, style) for part in wrap(text, room))

    if not coverage.hosts:
        say("No host is watched yet: 1 shows how to add one.", look.dim)
        return lines
    if rows.total:
        say(f"no {listing.one} passes the filter: esc clears it", look.dim)
        return lines
    say(f"No {listing.one} is known.", look.strong)
    lines.append(Line())
    if coverage.empty:
        say(f"● {_of(coverage.empty, coverage, 'has', 'have')} none: asked, and it is so", look.ok)
    if coverage.absent:
        say(f"○ {_of(len(coverage.absent), coverage, 'has', 'have')} no {listing.lacks}", look.dim)
    if coverage.forbidden:
        _refusals(listing, coverage, say, look)
    if coverage.failed:
        say(f"▲ {_of(len(coverage.failed), coverage, 'gave', 'gave')} no answer that can be read: "
            f"{_names([host for host, _ in coverage.failed])}", look.warn)  # fmt: skip
        say(clean(coverage.failed[0][1]), look.dim, 4)
    if coverage.unasked:
        say(f"○ {_of(len(coverage.unasked), coverage, 'is', 'are')} not known yet: not reached, not asked so far, or "
            f"the collector is off ({_names(coverage.unasked)})", look.dim)  # fmt: skip
    if extra and coverage.empty:
        lines.append(Line())
        for text in extra:
            say(text, look.dim)
    return lines


def _refusals(listing: Listing[Any], coverage: Coverage, say: Any, look: Palette) -> None:
    names = _names([host for host, _ in coverage.forbidden])
    say(f"▲ {_of(len(coverage.forbidden), coverage, 'refuses', 'refuse')}: {names}", look.warn)
    for told in dict.fromkeys(clean(detail) for _, detail in coverage.forbidden[:50] if detail):
        say(told, look.text, 4)
        break
    say(listing.way, look.text, 4)
