"""The record of what was done: an intent row before, an outcome row after; rows are only ever added."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import text

from core.models import Outcome
from core.redaction import redact
from core.storage.engine import Database

_INTENT = text("""
INSERT INTO audit (audit_id, correlation_id, phase, actor, action, body)
VALUES (:audit_id, :correlation_id, 'intent', :actor, :action, :body)
""")
_OUTCOME = text("""
INSERT INTO audit (audit_id, correlation_id, phase, ok, summary, body)
VALUES (:audit_id, :correlation_id, 'outcome', :ok, :summary, :body)
ON CONFLICT (audit_id, phase) DO NOTHING
""")
_RECENT = text("""
SELECT i.audit_id, i.ts, i.actor, i.action, i.body, i.correlation_id, o.ts AS ended, o.ok, o.summary
FROM audit i LEFT JOIN audit o ON o.audit_id = i.audit_id AND o.phase = 'outcome'
WHERE i.phase = 'intent' ORDER BY i.ts DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action; ``ended`` None: it runs, or was cut off."""

    audit_id: str
    ts: datetime
    actor: str
    action: str
    plan: Mapping[str, object]
    ended: datetime | None
    ok: bool | None
    summary: str | None
    correlation_id: str | None = None


class StorageAudit:
    """AuditLog in the database's table ``audit``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def intent(
        self, *, action: str, actor: str, plan: Mapping[str, object], correlation_id: str | None = None
    ) -> str:
        """Store what is about to be done; returns the audit id. Where it raises, nothing may be done."""
        audit_id = uuid.uuid4().hex[:12]
        body = json.dumps(redact(dict(plan)), default=str)
        row = {"audit_id": audit_id, "correlation_id": correlation_id, "actor": actor[:200], "action": action}
        async with self._database.connect("write the audit's intent") as connection:
            await connection.execute(_INTENT, {**row, "body": body})
        return audit_id

    async def outcome(self, audit_id: str, outcome: Outcome) -> None:
        """Store what came of it."""
        body = json.dumps(redact(asdict(outcome)), default=str)
        row = {"audit_id": audit_id, "correlation_id": outcome.correlation_id, "ok": outcome.ok}
        async with self._database.connect("write the audit's outcome") as connection:
            await connection.execute(_OUTCOME, {**row, "summary": redact(outcome.summary), "body": body})

    async def recent(self, most: int = 100) -> tuple[AuditEntry, ...]:
        """Return the latest actions, newest first."""
        async with self._database.connect("read the audit") as connection:
            rows = (await connection.execute(_RECENT, {"most": most})).all()
        return tuple(
            AuditEntry(
                r.audit_id,
                r.ts,
                r.actor or "",
                r.action or "",
                json.loads(r.body),
                r.ended,
                r.ok,
                r.summary,
                r.correlation_id,
            )
            for r in rows
        )
