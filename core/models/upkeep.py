"""What goes on in the database's server and what its tables cost: sessions and relations, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SessionKind(StrEnum):
    """Whose a session is."""

    OURS = "this console"
    JUMPWATCH = "jumpwatch"  # of another console or command
    CLIENT = "client"
    JOB = "job"  # a background worker of TimescaleDB
    SERVER = "server"  # autovacuum and the like


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session of the server; what the role may not see is None and ``hidden`` says so."""

    pid: int
    user: str | None
    application: str
    address: str | None  # None: a socket of its own machine, or not to be seen
    kind: SessionKind
    database: str | None
    state: str | None  # active, idle, idle in transaction, ...
    started: datetime | None
    transaction: datetime | None  # since when it is in one
    query_start: datetime | None
    state_change: datetime | None
    wait: str | None  # "Lock: transactionid"
    query: str  # cut by the server, control characters as they came
    hidden: bool = False  # another role's, which this role may not look into
    may_signal: bool = True  # the role may cancel and terminate it
    superuser: bool = False
    blocked_by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ActivityView:
    """The sessions of this database, those that work first; ``left_out`` more were not read."""

    sessions: tuple[SessionInfo, ...] = ()
    left_out: int = 0
    sees_all: bool = True  # the role may look into other roles' sessions


@dataclass(frozen=True, slots=True)
class RelationInfo:
    """One table of ours with what it costs (bytes); counts are the server's estimates, None where it keeps none."""

    name: str
    kind: str  # table, hypertable, rollup, partitioned
    total_bytes: int | None
    index_bytes: int | None
    live_rows: int | None
    dead_rows: int | None
    vacuumed: datetime | None  # by hand or by itself, the later one
    analyzed: datetime | None


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """An index; ``name`` is quoted by the server, ready to stand in a statement."""

    name: str
    table: str
    bytes: int | None
    left_over: bool = False  # invalid, and named as REINDEX CONCURRENTLY names what it is building
    building: bool = False  # somebody builds an index of that table just now


@dataclass(frozen=True, slots=True)
class RelationFacts:
    """One table, rollup, chunk or partition as upkeep sees it; sums over its chunks or partitions.

    ``quoted`` is the server's own spelling of what the statement has to name: of a rollup the table that holds it.
    """

    info: RelationInfo
    quoted: str
    parts: int  # chunks or partitions
    changed_rows: int | None  # since the last ANALYZE
    indexes: tuple[IndexInfo, ...] = ()  # of this relation itself
