"""jumpwatch db migrate-to, backup and restore: the whole database into another one, into a file and back."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from console.commands.output import print_json, print_table, say
from console.commands.setup import command_settings, run
from console.formatting import long_bytes
from core.config import load_settings
from core.exceptions import ValidationError

if TYPE_CHECKING:
    from core.storage.transfer import TransferReport


def migrate_to(args: argparse.Namespace) -> int:
    """Copy everything into another database; exit 1 where a row of the source lacks there."""
    settings = command_settings(args)
    target_settings = load_settings({"database.url": _url(args.target)}, config_file=args.config)
    from console import composition

    async def work() -> int:
        from core.database import Database
        from core.storage.transfer import transfer

        async with composition.open_storage(settings, say) as storage:
            target = Database(target_settings.database, settings.retention)
            try:
                await target.open()
                report = await transfer(storage.database, target, say)
            finally:
                await target.close()
        return _told(report, args, "SOURCE")

    return run(work())


def backup(args: argparse.Namespace) -> int:
    """Write everything into one new file."""
    settings = command_settings(args)
    from console import composition

    async def work() -> int:
        from core.storage.backup import backup as write

        async with composition.open_storage(settings, say) as storage:
            report = await write(storage.database, Path(args.file), say)
        if args.json:
            print_json(report)
        else:
            rows = [(table.name, str(table.rows), long_bytes(table.bytes)) for table in report.tables]
            print_table(("TABLE", "ROWS", "BYTES"), rows, right=frozenset({1, 2}))
        say(f"{report.file}: {long_bytes(report.bytes)}, as of {report.moment}")
        return 0

    return run(work())


def restore(args: argparse.Namespace) -> int:
    """Put a backup into the configured database, which must be empty; exit 1 where a row lacks there."""
    settings = command_settings(args)
    from console import composition

    async def work() -> int:
        from core.storage.restore import restore as read

        async with composition.open_storage(settings, say) as storage:
            return _told(await read(storage.database, Path(args.file), say), args, "BACKUP")

    return run(work())


def _url(given: str) -> str:
    """Return the target's URL; "-" asks for it on stdin, without showing it on a terminal."""
    if given != "-":
        if "@" in given and ":" in given.partition("://")[2].rpartition("@")[0]:
            say("jumpwatch: a password in the URL can be seen by other users (ps): give - and the URL on stdin")
        return given
    line = getpass.getpass("URL of the target: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not line.strip():
        raise ValidationError("stdin holds no URL: one line is wanted, postgresql://USER:PASSWORD@HOST:PORT/NAME")
    return line.strip()


def _told(report: TransferReport, args: argparse.Namespace, origin: str) -> int:
    """Print rows on both sides by table; return the exit code."""
    if args.json:
        print_json(report)
    else:
        print_table(
            ("TABLE", origin, "TARGET", "EQUAL", "NOTE"),
            [
                (table.table, str(table.source), str(table.target), "yes" if table.equal else "NO", table.note)
                for table in report.tables
            ],
            right=frozenset({1, 2}),
        )
    for note in report.notes:
        say(f"jumpwatch: {note}")
    return 0 if report.ok else 1
