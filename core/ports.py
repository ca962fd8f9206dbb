"""Narrow Protocols that the inner parts need of the outer ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # imported before the first paint, and pydantic is not
    from pydantic import SecretStr

    from core.models import (
        Alert,
        ChunkInfo,
        FleetView,
        Host,
        HostFinding,
        HostKeyReview,
        HostSample,
        IndexInfo,
        ItemSample,
        JobInfo,
        Outcome,
        RelationFacts,
        SecretRequest,
        SessionInfo,
        Transition,
        WriterStats,
    )


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


class OutputStream(Protocol):
    """The output of a command that goes on until it is closed; nothing of it is left on the host then."""

    @property
    def exit_code(self) -> int | None: ...
    async def read(self) -> tuple[bytes, bytes] | None:
        """Return what came of stdout and stderr since the last call, waiting for some; None at the end."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file on a host; ``kind`` is file, folder, other or missing."""

    kind: str
    size: int | None = None  # bytes
    modified: datetime | None = None


OnBytes = Callable[[int, int], None]
"""Called in the loop with (bytes copied, bytes in all)."""


class HostSession(Protocol):
    """One kept connection to one host."""

    async def open_stream(self, on_frame: FrameHandler, *, interval_s: float) -> FrameStream: ...
    async def run(
        self, argv: Sequence[str], *, timeout_s: float = 10.0, max_output: int = 1 << 20
    ) -> CommandResult: ...
    async def close(self) -> None: ...
    async def follow(self, argv: Sequence[str], *, terminal: bool = False) -> OutputStream:
        """Start a command that goes on; ``terminal``: on one, so that closing it hangs the command up."""

    async def file_info(self, path: str) -> FileInfo:
        """Look at a file on the host; raises where files cannot be copied there, or the path may not be read."""

    async def send_file(self, local: str, remote: str, *, overwrite: bool, on_bytes: OnBytes) -> None:
        """Copy a local file to the host, whole or not at all; without ``overwrite`` an existing one is an error."""

    async def fetch_file(self, remote: str, local: str, *, overwrite: bool, on_bytes: OnBytes) -> None:
        """Copy a file of the host here, whole or not at all; without ``overwrite`` an existing one is an error."""


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
    def put_items(self, sample: ItemSample) -> None: ...
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


Tell = Callable[[str], None]
"""Called with a word on how far a step is."""


class UpkeepKeeper(Protocol):
    """The server as the operations on jobs, tables, rollups and sessions see it.

    Statements are run exactly as they stand in the plan: names in them were quoted by the server, numbers and times
    were made by us.
    """

    async def jobs(self) -> tuple[JobInfo, ...]: ...
    async def relation(self, name: str) -> RelationFacts: ...
    async def leftovers(self) -> tuple[IndexInfo, ...]: ...
    async def session(self, pid: int) -> SessionInfo: ...
    async def sort_index(self, chunk: ChunkInfo) -> IndexInfo | None: ...
    async def window(self, rollup: str, start: datetime, stop: datetime) -> tuple[datetime, datetime] | None: ...
    async def refresh(self, rollup: str, start: datetime, stop: datetime) -> None: ...
    def setting_s(self, policy: str) -> float: ...
    async def policies_changed(self) -> None: ...
    async def ask(self, statement: str, operation: str) -> object: ...
    async def run(self, statement: str, operation: str, tell: Tell) -> None: ...


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


class AlertKeeper(Protocol):
    """The alerts as operations see them; raises core exceptions, and then has changed nothing."""

    async def alerts(self) -> tuple[Alert, ...]: ...
    async def acknowledge(self, keys: Sequence[str], note: str) -> None: ...
    async def silence(self, keys: Sequence[str], until: datetime, note: str) -> None: ...
    async def unsilence(self, keys: Sequence[str]) -> None: ...


class HostReach(Protocol):
    """The hosts as actions reach them: by the connection that polls them where there is one, else by a new one."""

    def host(self, name: str) -> Host:
        """Return the host of the inventory; ResourceNotFoundError where there is none of that name."""

    def session(self, name: str) -> AbstractAsyncContextManager[HostSession]:
        """Lend a session while the block runs; raises the SSH family."""
