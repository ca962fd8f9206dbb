"""Narrow Protocols that the inner parts need of the outer ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from core.models import (
    ChunkInfo,
    FleetView,
    Host,
    HostFinding,
    HostKeyReview,
    HostSample,
    SecretRequest,
    Transition,
    WriterStats,
)

if TYPE_CHECKING:  # imported before the first paint, and pydantic is not
    from pydantic import SecretStr

    from core.models import Outcome


class Clock(Protocol):
    """Wall time (UTC, aware) for records and monotonic seconds for waits."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What one remote command gave; output beyond the cap is cut and ``truncated`` says so."""

    exit_code: int | None
    stdout: str
    stderr: str
    truncated: bool = False


FrameHandler = Callable[[bytes, datetime], None]
"""Called in the loop with one whole frame and its time of receipt; must not block."""


class FrameStream(Protocol):
    """A running pushing loop on a host."""

    def set_interval(self, interval_s: float) -> None:
        """Change the pace and ask for a frame at once. A loop that cannot do it ends, and so does ``wait_closed``."""

    async def wait_closed(self) -> None:
        """Return when the loop ended by our doing; raise a core exception when it ended otherwise."""

    async def close(self) -> None: ...


class HostSession(Protocol):
    """One kept connection to one host."""

    async def open_stream(self, on_frame: FrameHandler, *, interval_s: float) -> FrameStream: ...
    async def run(
        self, argv: Sequence[str], *, timeout_s: float = 10.0, max_output: int = 1 << 20
    ) -> CommandResult: ...
    async def close(self) -> None: ...


class SessionFactory(Protocol):
    """Opens sessions; raises the SSH family, SSHHostKeyError after queueing the key for review."""

    async def connect(self, host: Host) -> HostSession: ...


class HostKeyStore(Protocol):
    """The review queue of host keys."""

    def pending(self) -> tuple[HostKeyReview, ...]: ...
    async def accept(self, review: HostKeyReview) -> None: ...
    def reject(self, review: HostKeyReview) -> None: ...


class SecretStore(Protocol):
    """The questions of logins that a person has to answer; answers stay in memory unless ``keep`` is given."""

    @property
    def can_keep(self) -> bool: ...
    def pending(self) -> tuple[SecretRequest, ...]: ...
    async def answer(self, request: SecretRequest, secret: SecretStr, *, keep: bool = False) -> tuple[str, ...]: ...
    def dismiss(self, request: SecretRequest) -> None: ...


class SampleSink(Protocol):
    """The lossless lane: takes at once, keeps in a bounded queue, then in a spool on disk."""

    def put(self, sample: HostSample) -> None: ...
    def put_transition(self, transition: Transition) -> None: ...
    def put_finding(self, finding: HostFinding) -> None: ...
    def stats(self) -> WriterStats: ...


class ViewSource(Protocol):
    """What the panes read: ``at`` None is now."""

    async def fleet(self, at: datetime | None = None) -> FleetView: ...


class ChunkKeeper(Protocol):
    """Storage as the operations see it, the same in every mode."""

    async def chunks(self, hypertable: str | None = None) -> tuple[ChunkInfo, ...]: ...
    async def compress(self, chunk: ChunkInfo) -> ChunkInfo: ...
    async def decompress(self, chunk: ChunkInfo) -> ChunkInfo: ...
    async def drop(self, chunk: ChunkInfo) -> None: ...
    async def run_job(self, job_id: int) -> None: ...
    async def analyze(self, table: str) -> None: ...


class InventoryKeeper(Protocol):
    """The inventory as operations see it; raises core exceptions, and then has changed nothing."""

    async def hosts(self) -> tuple[Host, ...]: ...
    async def set_maintenance(self, names: Sequence[str], on: bool, until: datetime | None) -> None: ...


class AuditLog(Protocol):
    """Intent before, outcome after; an intent without an outcome is an action that was cut off.

    Both rows carry the correlation id of the request; the outcome brings its own.
    """

    async def intent(
        self, *, action: str, actor: str, plan: Mapping[str, object], correlation_id: str | None = None
    ) -> str: ...
    async def outcome(self, audit_id: str, outcome: Outcome) -> None: ...
