"""jumpwatch collect: poll and store without a screen; and jumpwatch audit: what was done with it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from console.commands.output import print_json, print_table, say
from console.commands.setup import command_settings, run, settings_from
from console.formatting import moment
from core.exceptions import ValidationError
from core.logging import configure_logging, shutdown_logging

if TYPE_CHECKING:
    from core.storage.audit import AuditEntry

_MOST = 10_000


def collect(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM; what happens goes to stderr, logs to their file."""
    settings = settings_from(args)
    if notice := configure_logging(settings, to_stderr=False):
        say(f"jumpwatch: {notice}")
    from console import composition

    try:
        run(composition.collect(settings, say))
    except KeyboardInterrupt:
        say("jumpwatch: stopped")
    finally:
        shutdown_logging()
    return 0


def audit(args: argparse.Namespace) -> int:
    """Print the latest actions, newest first."""
    if not 0 < args.last <= _MOST:
        raise ValidationError(f"--last must lie between 1 and {_MOST}")
    settings = command_settings(args)
    from console import composition
    from core.storage.audit import StorageAudit

    async def work() -> tuple[AuditEntry, ...]:
        async with composition.open_storage(settings, say) as storage:
            return await StorageAudit(storage.database).recent(args.last)

    entries = run(work())
    if args.json:
        print_json(entries)
        return 0
    rows = [(moment(e.ts), e.audit_id, e.actor, e.action, _result(e), e.summary or "") for e in entries]
    print_table(("WHEN (UTC)", "AUDIT", "BY", "ACTION", "RESULT", "WHAT"), rows)
    if not entries:
        say("no actions yet")
    return 0


def _result(entry: AuditEntry) -> str:
    if entry.ended is None:
        return "no end: it runs, or was cut off"
    return "ok" if entry.ok else "failed"
