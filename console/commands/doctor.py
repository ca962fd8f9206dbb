"""jumpwatch db doctor: every health check, and what has drifted from the schema, each with its way out."""

from __future__ import annotations

import argparse

from console.commands.output import print_json, print_table, say
from console.commands.setup import command_settings, run

_WORDS = {True: "ok", False: "FAILED", None: "not known"}


def doctor(args: argparse.Namespace) -> int:
    """Print health and drift; exit 1 where something is wrong, 0 where what is not known is all."""
    settings = command_settings(args)
    from console import composition

    async def work() -> int:
        from core.database import check_database_health, get_connection_info, validate_database_schema

        async with composition.open_storage(settings, say) as storage:
            health = await check_database_health(storage.database)
            schema = await validate_database_schema(storage.database)
            connection = await get_connection_info(storage.database)
        ok = schema.ok and not any(check.ok is False for check in health)
        if args.json:
            print_json({"ok": ok, "connection": connection, "health": health, "schema": schema})
            return 0 if ok else 1
        secured = f"TLS: {connection.tls}" if connection.tls else "no TLS"
        print(f"{connection.name}: PostgreSQL {connection.server_version}, role {connection.role}, {secured}")
        print()
        print_table(("CHECK", "RESULT", "DETAIL"), [(c.name, _WORDS[c.ok], c.text) for c in health])
        print()
        if schema.drift:
            print_table(
                ("DRIFT", "WHERE", "FOUND", "WAY OUT"), [(d.kind, d.target, d.found, d.way_out) for d in schema.drift]
            )
        else:
            print(f"schema at revision {schema.revision}: as this version makes it")
        for note in schema.notes:
            say(f"note: {note}")
        return 0 if ok else 1

    return run(work())
