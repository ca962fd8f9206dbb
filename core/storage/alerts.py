"""Alerts in the database: what stands and what people said of it, the steps of each, and marks for the time line."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from core.models import Alert, AlertChange
from core.models.alerts import worst_first
from core.storage.engine import Database
from core.storage.rows import clean

_RECENT = timedelta(hours=1)
_CHANGES_KEPT = 12
_BODY = ("text", "title", "value", "limit", "advice", "forecast", "acked_by", "note", "hidden", "flapping")
_COLUMNS = ("key", "raised", "rule", "host", "item", "severity", "updated", "resolved", "acked", "silenced",
            "silenced_until", "body")  # fmt: skip

_STORE = text(f"""
INSERT INTO alerts ({", ".join(_COLUMNS)}) VALUES ({", ".join(":" + name for name in _COLUMNS)})
ON CONFLICT (key, raised) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in ("key", "raised"))}
""")  # noqa: S608 - our own names
_CHANGE = text("""
INSERT INTO alert_changes (key, host, ts, change, severity, text, actor, note)
VALUES (:key, :host, :ts, :change, :severity, :text, :actor, :note) ON CONFLICT (key, ts, change) DO NOTHING
""")
_OPEN = text("""
SELECT * FROM alerts WHERE resolved IS NULL OR resolved > :since OR silenced_until > :now ORDER BY raised
""")
_OF_KEYS = text("""
SELECT w.key, c.ts, c.change, c.severity, c.text, c.actor, c.note
FROM unnest(CAST(:keys AS text[]), CAST(:raised AS timestamptz[])) AS w(key, raised)
CROSS JOIN LATERAL (
    SELECT * FROM alert_changes c WHERE c.key = w.key AND c.ts >= w.raised AND c.ts <= :at
    ORDER BY c.ts DESC LIMIT :most
) c ORDER BY c.ts, c.change_id
""")
_AT = text("""
SELECT * FROM alerts WHERE raised <= :at AND (resolved IS NULL OR resolved > :at) ORDER BY raised DESC LIMIT :most
""")
_SAID = text("""
SELECT key, raised, acked, silenced, silenced_until, body FROM alerts
WHERE resolved IS NULL OR silenced_until > :now
""")


async def store(database: Database, alerts: Iterable[Alert], changes: Iterable[tuple[str, AlertChange]] = ()) -> None:
    """Store alerts as they are, and (host, change) pairs; in one transaction, and again where it failed."""
    rows = [_row(alert) for alert in alerts]
    steps = [_step(host, change) for host, change in changes]
    if not rows and not steps:
        return
    async with database.connect("store alerts") as connection:
        if rows:
            await connection.execute(_STORE, rows)
        if steps:
            await connection.execute(_CHANGE, steps)


async def load(database: Database, now: datetime | None = None) -> tuple[Alert, ...]:
    """Return what stands, what was over within the hour, and what is over and still silenced; worst first."""
    now = now or datetime.now(UTC)
    return await _read(database, _OPEN, {"now": now, "since": now - _RECENT}, now)


async def alerts_at(database: Database, at: datetime, *, most: int = 2000) -> tuple[Alert, ...]:
    """Return the alerts that stood at a moment, with what had been said of them by then; worst first."""
    found = await _read(database, _AT, {"at": at, "most": most}, at)
    return tuple(sorted((_as_of(alert, at) for alert in found), key=worst_first))


def _as_of(alert: Alert, at: datetime) -> Alert:
    """Take back what came later; the line is that of the last step before."""
    if alert.acked is not None and alert.acked > at:
        alert = replace(alert, acked=None, acked_by="", note="")
    if alert.silenced is not None and (alert.silenced > at or (alert.silenced_until or at) <= at):
        alert = replace(alert, silenced=None, silenced_until=None)
    if alert.updated > at and alert.changes:
        last = alert.changes[-1]
        alert = replace(alert, text=last.text, severity=last.severity, updated=last.ts, forecast="", value=None)
    return replace(alert, resolved=None, hidden="")


async def said(database: Database, now: datetime) -> dict[tuple[str, datetime], dict[str, Any]]:
    """Return by key and time of raising what people have said: a poller learns it from other consoles."""
    async with database.connect("read what was said of alerts") as connection:
        rows = (await connection.execute(_SAID, {"now": now})).all()
    found = {}
    for row in rows:
        body = json.loads(row.body)
        found[row.key, row.raised] = {
            "acked": row.acked, "acked_by": str(body.get("acked_by", "")), "note": str(body.get("note", "")),
            "silenced": row.silenced, "silenced_until": row.silenced_until,
        }  # fmt: skip
    return found


async def _read(database: Database, statement: Any, bounds: dict[str, Any], at: datetime) -> tuple[Alert, ...]:
    async with database.connect("read the alerts") as connection:
        rows = (await connection.execute(statement, bounds)).all()
        wanted = {"keys": [row.key for row in rows], "raised": [row.raised for row in rows]}
        steps = (await connection.execute(_OF_KEYS, {**wanted, "at": at, "most": _CHANGES_KEPT})).all() if rows else []
    changes: dict[str, list[AlertChange]] = defaultdict(list)
    for step in steps:
        changes[step.key].append(_change(step))
    found = [_alert(row, changes[row.key]) for row in rows]
    return tuple(sorted(found, key=worst_first))


def _alert(row: Any, changes: Sequence[AlertChange]) -> Alert:
    body = json.loads(row.body)
    own = [change for change in changes if change.ts >= row.raised and change.ts <= (row.resolved or change.ts)]
    return Alert(
        key=row.key, rule=row.rule, host=row.host, item=row.item, severity=row.severity, raised=row.raised,
        updated=row.updated, resolved=row.resolved, acked=row.acked, silenced=row.silenced,
        silenced_until=row.silenced_until, changes=tuple(own), **{name: body[name] for name in _BODY if name in body},
    )  # fmt: skip


def _change(row: Any) -> AlertChange:
    return AlertChange(row.key, row.ts, row.change, row.severity, row.text, row.actor, row.note)


def _row(alert: Alert) -> dict[str, Any]:
    body = {name: getattr(alert, name) for name in _BODY}
    row: dict[str, Any] = {name: getattr(alert, name) for name in _COLUMNS if name != "body"}
    for name in ("key", "rule", "host", "item"):
        row[name] = clean(row[name])
    return {**row, "body": clean(json.dumps(body).replace("\\u0000", ""))}


def _step(host: str, change: AlertChange) -> dict[str, Any]:
    return {
        "key": clean(change.key), "host": clean(host), "ts": change.ts, "change": change.change,
        "severity": change.severity, "text": clean(change.text)[:2000], "actor": clean(change.actor)[:200],
        "note": clean(change.note)[:2000],
    }  # fmt: skip
