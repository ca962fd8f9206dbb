"""jumpwatch db roles: SQL for roles of the least privilege, to be read and run by who administers the server."""

from __future__ import annotations

import argparse

from console.commands.output import say
from console.commands.setup import command_settings, run


def roles(args: argparse.Namespace) -> int:
    """Print the SQL; nothing is changed."""
    settings = command_settings(args)
    from console import composition

    async def work() -> int:
        from core.storage.roles import roles_sql

        async with composition.open_storage(settings, say) as storage:
            print(await roles_sql(storage.database, args.prefix), end="")
        say("nothing was changed: read it, then run it in the database with psql")
        return 0

    return run(work())
