"""What the screen needs of the rest of the program: one port, handed in by composition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from core.models import FleetView

if TYPE_CHECKING:  # it is there before the first paint, pydantic is not
    from pydantic import SecretStr

    from core.models import (
        HostKeyReview,
        HostPlot,
        ItemPlot,
        LogFeed,
        LogSource,
        Mark,
        Outcome,
        Plan,
        PlanRequest,
        ReplayStatus,
        SavedCommand,
        SecretRequest,
    )
    from core.models.console import Changes, ConsoleOptions, Memory

Post = Callable[[FleetView], None]
"""Takes the newest view; cheap, callable from any task of the loop, keeps only the newest one."""

Progress = Callable[[int, int, str], None]
"""Called with (targets done, targets in all, the target at hand)."""


class ConsoleServices(Protocol):
    """The program behind the screen. Every failure meant for a person is an InfrastructureException."""

    @property
    def view(self) -> FleetView:
        """The newest view, live or of the moment replayed; an empty one before the start."""

    @property
    def startup_lines(self) -> tuple[str, ...]:
        """What the start has done so far, one line a step, newest last."""

    @property
    def read_only(self) -> bool:
        """True where nothing may be applied now."""

    @property
    def read_only_until(self) -> datetime | None:
        """The moment (UTC) at which read-only comes back by itself; None while read-only or without an end."""

    @property
    def interval_s(self) -> float:
        """Seconds between two polls of a host that sets none of its own."""

    @property
    def paused(self) -> bool:
        """True while polling is paused from the keyboard."""

    async def start(self, post: Post) -> None:
        """Start pollers and database; called once, after the first paint; views come through ``post``."""

    async def stop(self) -> None:
        """Stop what ``start`` started, within two seconds; may be called twice."""

    async def plan(self, request: PlanRequest) -> Plan:
        """Return what the action would do; changes nothing."""

    async def apply(self, plan: Plan, typed: str, on_progress: Progress | None = None) -> Outcome:
        """Do it; raises where read-only, where the typed name is wrong or where the plan went stale."""

    async def accept_host_key(self, review: HostKeyReview) -> None:
        """Append the key to the user's known_hosts and connect the host anew; refuses changed keys."""

    async def reject_host_key(self, review: HostKeyReview) -> None:
        """Take the key off the list; the host stays away until it is tried again."""

    async def accept_host_keys(self, reviews: Sequence[HostKeyReview]) -> int:
        """Accept several at once and return how many; raises for the first refused one, the ones before are kept."""

    @property
    def can_keep_secrets(self) -> bool:
        """Whether an answer may go into the system's keyring."""

    async def answer_secret(self, request: SecretRequest, secret: SecretStr, *, keep: bool = False) -> None:
        """Take the answer to a login's question and connect the hosts that wait for it anew."""

    def dismiss_secret(self, request: SecretRequest) -> None:
        """Take a question off the list; it comes again when the host is tried again."""

    def unlock(self, seconds: float) -> None:
        """Leave read-only for so long; raises where the role forbids it."""

    def lock(self) -> None:
        """Go back to read-only now."""

    def poll_now(self, host: str | None) -> None:
        """Poll the host at once, or every host."""

    def set_interval(self, host: str | None, seconds: float) -> None:
        """Poll the host, or every host, at that interval from now on."""

    def pause(self) -> bool:
        """Pause polling, or go on; return whether it is paused now."""

    @property
    def replay(self) -> ReplayStatus:
        """Where the console stands in time."""

    def go_to(self, at: datetime | None, step: timedelta) -> None:
        """Show that moment, None for live; views come through ``post``. Raises where no database is connected.

        While it is not live nothing can be applied, whoever asks; polling and storing go on.
        """

    async def mark_beside(self, at: datetime, *, later: bool, loud: bool = False) -> Mark | None:
        """Return the mark after or before the moment; ``loud``: alerts and failing hosts alone."""

    async def plot(self, host: str, start: datetime, stop: datetime, points: int) -> HostPlot:
        """Return a host's past in [start, stop) in at most so many steps."""

    async def item_plot(
        self, host: str, item: tuple[str, str], start: datetime, stop: datetime, points: int
    ) -> ItemPlot:
        """Return the past of a container or unit (kind and name) of a host, as ``plot`` does."""

    async def follow_logs(self, source: LogSource, feed: LogFeed) -> None:
        """Follow a log into the feed until cancelled or ended; what goes wrong is told in the feed."""

    async def saved_commands(self, hosts: Sequence[str]) -> tuple[SavedCommand, ...]:
        """Return the saved commands that are for all these hosts."""

    def ssh_argv(self, host: str) -> tuple[str, ...]:
        """Return the words of the user's own ssh that reach the host interactively."""

    @property
    def options(self) -> ConsoleOptions | None:
        """The settings of the screen; None until they are read; another object each time they changed."""

    @property
    def memory(self) -> Memory | None:
        """What the last console left, None where nothing is to be remembered."""

    def remember(self, memory: Memory) -> None:
        """Keep that for the next console; it is written soon, in the background, and at the stop."""

    async def changes_since(self, since: datetime) -> Changes:
        """Return what changed since then: states of hosts from the stored transitions, and what is new besides."""
