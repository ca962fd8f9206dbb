"""What every command does first: read the settings, set up logs, pick hosts; and how it runs async work."""

from __future__ import annotations

import argparse
import getpass
import os
import signal
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from console.commands.output import say
from core.config import load_settings
from core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from core.config import ApplicationSettings
    from core.models import Host

T = TypeVar("T")


def settings_from(args: argparse.Namespace) -> ApplicationSettings:
    """Load the settings with the command's flags on top; odd but harmless findings go to stderr."""
    settings = load_settings({"database.url": args.database_url}, config_file=args.config)
    for notice in settings.notices:
        say(f"jumpwatch: {notice}")
    if args.database_url and "@" in args.database_url and settings.database.password:
        say("jumpwatch: a password in --database-url can be seen by other users (ps): prefer JUMPWATCH_DATABASE_URL")
    return settings


def command_settings(args: argparse.Namespace) -> ApplicationSettings:
    """Load the settings for a command that runs parts which log, and send their logs to stderr."""
    from core.logging import configure_logging

    settings = settings_from(args)
    configure_logging(settings, to_stderr=True)
    return settings


def console_settings(args: argparse.Namespace) -> ApplicationSettings:
    """Load the settings for the console; logs go to the file, never to its screen."""
    from core.logging import configure_logging

    settings = load_settings({"database.url": args.database_url}, config_file=args.config)
    configure_logging(settings, to_stderr=False)
    return settings


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; SIGINT and SIGTERM cancel the work, so that what it started is stopped."""
    import asyncio

    async def owned() -> T:
        task = asyncio.current_task()
        if task is None:  # cannot be: asyncio.run made one
            raise RuntimeError("no task")
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(owned())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def actor() -> str:
    """Return who acts, for the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def chosen_hosts(settings: ApplicationSettings, names: list[str], group: str | None = None) -> list[Host]:
    """Return the named hosts, or those of a group, or all; an empty choice is an error that says the way out."""
    from core.inventory import Inventory

    inventory = Inventory.load(settings.inventory_file)
    found = [inventory.get(name) for name in names] or list(inventory.group(group) if group else inventory.hosts)
    hosts = [host.at(datetime.now(UTC)) for host in found]
    if not hosts:
        where = f"group {group!r} has no hosts" if group else f"no hosts in {settings.inventory_file}"
        raise ConfigurationError(f"{where}: add one with `jumpwatch hosts add NAME`, or `jumpwatch hosts import`")
    return hosts
