"""The Database pane's lines: what the server can do, totals, health, the job under the cursor. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from console.formatting import age, clean, count, long_bytes, moment, ratio, span
from console.panes.database_lists import job_state
from console.widgets.line import Line, wrap
from console.widgets.severity import DATABASE_STATES
from core.models import DatabaseState, StorageMode

if TYPE_CHECKING:
    from console.widgets.palette import Palette
    from core.models import Capability, DatabaseView, FleetView, JobInfo

NEEDS = "compression needs TimescaleDB: set JUMPWATCH_DATABASE_URL to a server that has the extension"
NEEDS_SHORT = "compression needs TimescaleDB (Health says how)"
OLD_AFTER_S = 20.0


def totals(database: DatabaseView, now: datetime, width: int, look: Palette) -> list[Line]:
    """Return two lines: the server and its totals."""
    glyph, said, severity = DATABASE_STATES[database.state]
    fine = look.ok if database.state is DatabaseState.CONNECTED else look.dim
    first = Line().add(f" {glyph} {said}", look.level(severity) if severity else fine).gap(2)
    old = None if database.at is None else (now - database.at).total_seconds()
    note = f"read {age(old)} ago" if old is not None else ""
    if database.state is not DatabaseState.CONNECTED and database.detail:
        left = first.width
        parts = [*wrap(clean(database.detail), width - left - len(note) - 3, 2), ""]
        second = Line().gap(left).add(parts[1], look.text)
        return [first.add(parts[0], look.text), second.to(width - len(note) - 1).add(note, look.warn)]
    if (can := database.capability) is not None:
        first.add(server(can), look.text)
        if width >= 100 and database.name:
            first.gap(2).add(clean(database.name), look.dim)
    facts = []
    if database.pool is not None:
        facts.append(f"pool {database.pool.checked_out}/{database.pool.limit}")
    if database.sessions is not None and not (can is not None and can.single_session):  # that one tells of none
        facts.append(f"sessions {database.sessions}")
    if database.workers is not None and database.capability is not None and database.capability.background_workers:
        facts.append(f"workers {database.workers}")
    for text in facts:
        if first.width + len(text) + len(note) + 5 <= width:
            first.gap(2).add(text, look.dim)
    if note and first.width + len(note) + 2 <= width:
        style = look.warn if old is not None and old > OLD_AFTER_S else look.dim
        first.to(width - len(note) - 1).add(note, style)
    return [first, _sums(database, width, look)]


def server(can: Capability) -> str:
    """Return mode, versions and licence in words."""
    base = f"PostgreSQL {clean(can.server_version)}"
    if can.mode is StorageMode.TIMESCALEDB:
        base = f"TimescaleDB {clean(can.extension_version or '?')} on {base}"
        if can.licence:
            base += f", {clean(can.licence)} licence"
    else:
        base += ", native partitions"
    return base + ("" if can.kind == "given" else f", {clean(can.kind)}")


def nothing(database: DatabaseView) -> str:
    """Return why there is no table: unknown is not the same as none."""
    if database.at is not None:
        return "no table of Jumpwatch is in this database: jumpwatch db init makes them"
    if database.state is DatabaseState.STARTING:
        return "nothing is known yet: the database is being reached"
    return "nothing is known: the database was not reached since the start"


def _sums(database: DatabaseView, width: int, look: Palette) -> Line:
    if database.at is None:
        return Line().gap().add(nothing(database), look.dim)
    chunks = sum(table.chunks for table in database.hypertables)
    packed = sum(table.compressed_chunks for table in database.hypertables)
    line = Line().gap().add(f"{count(chunks)} chunks", look.text)
    can = database.capability
    if can is not None and not can.compression:
        if can.mode is StorageMode.TIMESCALEDB:
            return line.gap(2).add(
                f"compression needs the timescale licence; this is {clean(can.licence or '?')}", look.warn
            )
        return line.gap(2).add(NEEDS if line.width + len(NEEDS) + 3 <= width else NEEDS_SHORT, look.warn)
    before = sum(table.before_bytes or 0 for table in database.hypertables)
    after = sum(table.after_bytes or 0 for table in database.hypertables)
    line.add(f", {count(packed)} compressed", look.text)
    facts = [
        ("ratio", ratio(database.ratio), look.ok),
        ("saved", long_bytes(database.saved_bytes), look.ok),
        ("", f"{long_bytes(before)} → {long_bytes(after)}" if before else "", look.text),
        ("database", long_bytes(database.database_bytes), look.text),
    ]
    for name, value, style in facts:
        label = name + " " if name else ""
        if value and line.width + 2 + len(label) + len(value) <= width:
            line.gap(2).add(label, look.dim).add(value, style)
    return line


def health(view: FleetView, width: int, now: datetime, utc: bool, look: Palette) -> list[Line]:
    """Return the checks with their reasons, the server, the pool, the writer."""
    database, lines = view.database, [Line().add(" HEALTH", look.head)]
    for check in database.health:
        glyph, said, style = {
            True: ("●", "ok", look.ok),
            False: ("✗", "failed", look.bad),
            None: ("○", "unknown", look.dim),
        }[check.ok]
        line = Line().gap().cell(f"{glyph} {said}", 11, style)
        parts = wrap(f"{clean(check.name)}: {clean(check.text)}", width - 13)
        lines += [(line if not n else Line().gap(12)).add(part, look.text) for n, part in enumerate(parts)]
    if not database.health:
        lines.append(Line().gap().add("no check was made yet", look.dim))
    rows: list[tuple[str, str]] = [("database", clean(database.name)), ("detail", clean(database.detail))]
    if (can := database.capability) is not None:
        workers = count(database.workers) if can.background_workers else "none: jobs run when they are asked to"
        rows += [
            ("server", server(can)),
            ("role", clean(can.role) + (", superuser" if can.superuser else "")),
            ("workers", workers),
            ("compression", "yes" if can.compression else NEEDS),
        ]
    if (pool := database.pool) is not None:
        rows.append(("pool", f"{pool.checked_out} of {pool.limit} in use, {pool.overflow} over the {pool.size} kept"))
    writer = view.writer
    flushed = f", flushed {age((now - writer.last_flush).total_seconds())} ago" if writer.last_flush else ""
    rows.append(
        (
            "writer",
            f"{count(writer.stored)} stored, {count(writer.queued)} queued, "
            f"{count(writer.spooled)} spooled, {count(writer.dropped)} lost{flushed}",
        )
    )
    rows.append(("writer error", clean(writer.last_error or "")))
    rows.append(("read", moment(database.at, utc)))
    lines.append(Line())
    for name, value in rows:
        if value:
            parts = wrap(value, width - 15)
            lines += [Line().gap().cell("" if n else name, 13, look.dim).add(p, look.text) for n, p in enumerate(parts)]
    return lines


def job_lines(job: JobInfo | None, now: datetime, utc: bool, width: int, look: Palette) -> list[Line]:
    """Return the job under the cursor with its last error."""
    if job is None:
        return [Line().gap().add("no job: TimescaleDB's jobs stand here; ours run with retention", look.dim)]
    glyph, said, style = job_state(job, look.ok, look.bad, look.warn, look.dim)
    line = Line().gap().add(f"{glyph} {said}", style).gap(2).add(clean(job.name), look.strong)
    line.add(
        f"  every {span(job.schedule_s)}  last {moment(job.last_run, utc, '%m-%d %H:%M')}"
        f"  next {moment(job.next_run, utc, '%m-%d %H:%M')}",
        look.dim,
    )
    lines = [line]
    if job.last_error:
        parts = wrap(clean(job.last_error), width - 9, 4)
        if sum(map(len, parts)) + len(parts) < len(job.last_error.strip()):
            parts[-1:] = ["… enter shows all of it"]
        lines += [Line().gap().cell("" if n else "error", 7, look.dim).add(p, look.bad) for n, p in enumerate(parts)]
    return lines
