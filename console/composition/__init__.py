"""The one place where concrete classes meet; everything heavy is imported late, after the first paint."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.composition.oneshot import HostCheck
    from console.composition.storage import Storage
    from core.config import ApplicationSettings
    from core.models import Host, HostView, PlanRequest
    from core.ssh.secrets import Secrets


def run_console(settings_loader: Callable[[], ApplicationSettings], *, demo: bool = False) -> int:
    """Run the console until it is quit; return the exit code. The settings are read after the first paint."""
    gc.disable()  # imports make much and drop nothing: the services turn the collector on after the first paint
    from console.app import JumpwatchApp
    from console.composition.early import early_theme, this_terminal
    from console.composition.services import LiveServices

    app = JumpwatchApp(LiveServices(settings_loader, demo=demo), this_terminal(), early_theme())
    app.run()
    gc.freeze()  # the process ends: Python would look over all of it once more
    return app.return_code or 0


def run_plain(settings_loader: Callable[[], ApplicationSettings], *, demo: bool = False) -> int:
    """Run the console as lines of text until ``quit`` or the end of the input; return the exit code."""
    import asyncio
    import sys

    from console.composition.services import LiveServices
    from console.plain.program import PlainConsole

    def write(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    services = LiveServices(settings_loader, demo=demo)

    async def run() -> None:
        await PlainConsole(services, write).run(sys.stdin)

    asyncio.run(run())
    return 0


def open_storage(
    settings: ApplicationSettings, progress: Callable[[str], None]
) -> AbstractAsyncContextManager[Storage]:
    """Open the configured database, or the embedded one, for one command."""
    from console.composition.storage import opened

    return opened(settings, progress)


async def audited(settings: ApplicationSettings, request: PlanRequest, actor: str) -> str:
    """Do what a command may do without a database too; return why the audit does not tell of it, or ""."""
    from console.composition.audited_maintenance import audited as run

    return await run(settings, request, actor)


async def poll_once(settings: ApplicationSettings, hosts: list[Host]) -> list[HostView]:
    """Poll each host until it gave one whole sample with rates, or failed."""
    from console.composition.oneshot import poll_once as run

    return await run(settings, hosts)


async def check_hosts(
    settings: ApplicationSettings, hosts: list[Host], secrets: Secrets | None = None
) -> list[HostCheck]:
    """Try to log in to each host; an unknown key comes back for review, a question waits in ``secrets``."""
    from console.composition.oneshot import check_hosts as run

    return await run(settings, hosts, secrets)


def new_secrets(settings: ApplicationSettings, say: Callable[[str], None]) -> Secrets:
    """The answers of logins for one command."""
    from console.composition.oneshot import make_secrets

    return make_secrets(settings, say)


async def collect(settings: ApplicationSettings, say: Callable[[str], None]) -> None:
    """Poll and store without a screen until cancelled."""
    from console.composition.collecting import collect as run

    await run(settings, say)
