"""The hosts as actions reach them: the connection that polls one is lent, else one is opened for the action alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from core.exceptions import ResourceNotFoundError
from core.inventory.commands import for_hosts, load_commands
from core.operations.logs import follow
from core.ssh.shell import shell_argv

if TYPE_CHECKING:
    from core.config import ApplicationSettings
    from core.models import Host, LogFeed, LogSource, SavedCommand
    from core.ports import HostSession, SessionFactory


class Reach:
    """Port HostReach over the inventory, the pollers' sessions and the factory."""

    def __init__(
        self,
        hosts: Callable[[], Sequence[Host]],
        factory: SessionFactory,
        kept: Callable[[str], HostSession | None],
        settings: ApplicationSettings,
    ) -> None:
        self._hosts, self._factory, self._kept, self._settings = hosts, factory, kept, settings

    def host(self, name: str) -> Host:
        """Return the host of that name; raises ResourceNotFoundError."""
        for host in self._hosts():
            if host.name == name:
                return host
        raise ResourceNotFoundError(f"no host {name[:80]!r} in the inventory", operation="reach")

    @asynccontextmanager
    async def session(self, name: str) -> AsyncIterator[HostSession]:
        """Lend the polling connection, or open one while the block runs."""
        if (kept := self._kept(name)) is not None:
            yield kept
            return
        session = await self._factory.connect(self.host(name))
        try:
            yield session
        finally:
            await session.close()

    # What the console asks beside actions.

    async def follow_logs(self, source: LogSource, feed: LogFeed) -> None:
        """Follow a log into the feed until cancelled."""
        await follow(self, source, feed)

    async def saved_commands(self, hosts: Sequence[str]) -> tuple[SavedCommand, ...]:
        """Return the saved commands that are for all these hosts; raises ConfigurationError."""
        path = self._settings.inventory_file.with_name("commands.toml")
        return for_hosts(await asyncio.to_thread(load_commands, path), [self.host(name) for name in hosts])

    def ssh_argv(self, name: str) -> tuple[str, ...]:
        """Return the words of the user's ssh to a host."""
        return shell_argv(self.host(name), self._settings.ssh)
