"""The tables as SQLAlchemy knows them; the migrations create them, a test compares the two."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from core.models.items import CONTAINER, UNIT

metadata = MetaData()
UTC_TIME = DateTime(timezone=True)

SYSTEM_COLUMNS: tuple[str, ...] = (
    "cpu_pct", "user_pct", "system_pct", "iowait_pct", "steal_pct", "cpus", "load1", "load5", "load15",
    "mem_total", "mem_available", "swap_total", "swap_free", "psi_cpu", "psi_memory", "psi_io",
    "procs_running", "procs_blocked",
)  # fmt: skip
_WHOLE = {"cpus", "mem_total", "mem_available", "swap_total", "swap_free", "procs_running", "procs_blocked"}
_WHOLE |= {"size", "used", "available", "inodes", "inodes_used"}
_WHOLE |= {"mem_used", "mem_limit", "rx_bytes", "tx_bytes", "read_bytes", "written_bytes", "pids", "tasks", "restarts"}


def _figure(name: str) -> Column[float] | Column[int]:
    return Column(name, BigInteger) if name in _WHOLE else Column(name, Double)


def _item_table(name: str, *figures: str) -> Table:
    return Table(
        name,
        metadata,
        Column("host_id", Integer, primary_key=True, autoincrement=False),
        Column("item_id", Integer, primary_key=True, autoincrement=False),
        Column("ts", UTC_TIME, primary_key=True),
        *(_figure(figure) for figure in figures),
    )


meta = Table(
    "jumpwatch_meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated", UTC_TIME, nullable=False, server_default=func.now()),
)
hosts = Table(
    "hosts",
    metadata,
    Column("host_id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("address", Text),
    Column("port", Integer),
    Column("login", Text),
    Column("groups", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("interval_s", Double),
    Column("maintenance", Boolean, nullable=False, server_default=text("false")),
    Column("simulated", Boolean, nullable=False, server_default=text("false")),
    Column("first_seen", UTC_TIME, nullable=False, server_default=func.now()),
)
items = Table(
    "items",
    metadata,
    Column("item_id", Integer, Identity(), primary_key=True),
    Column("host_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("extra", Text),  # JSON: what describes the item and seldom changes (device, fstype)
    UniqueConstraint("host_id", "kind", "name"),
)
host_samples = Table(
    "host_samples",
    metadata,
    Column("host_id", Integer, primary_key=True, autoincrement=False),
    Column("ts", UTC_TIME, primary_key=True),
    Column("host_clock", UTC_TIME),
    Column("seq", BigInteger),
    Column("boot_id", Text),
    Column("uptime_s", Double),
    Column("interval_s", Double),
    *(_figure(name) for name in SYSTEM_COLUMNS),
    Column("sections", Text),  # JSON; null where every section was ok
)
filesystem_samples = _item_table("filesystem_samples", "size", "used", "available", "inodes", "inodes_used")
disk_samples = _item_table("disk_samples", "read_bps", "write_bps", "read_iops", "write_iops", "busy_pct")
interface_samples = _item_table(
    "interface_samples", "rx_bps", "tx_bps", "rx_pps", "tx_pps", "errors_ps", "drops_ps"
)  # fmt: skip
# The engines count bytes since a container's start, rounded to three places: rates of them would jump.
container_samples = _item_table(
    "container_samples",
    *("cpu_pct", "mem_used", "mem_limit", "rx_bytes", "tx_bytes", "read_bytes", "written_bytes", "pids"),
)
unit_samples = _item_table("unit_samples", "cpu_pct", "mem_used", "tasks", "restarts")
transitions = Table(
    "transitions",
    metadata,
    Column("transition_id", BigInteger, Identity(), primary_key=True),
    Column("host_id", Integer, nullable=False),
    Column("ts", UTC_TIME, nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("detail", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("host_id", "ts", "old", "new"),
    Index("transitions_ts", "ts"),
)
findings = Table(
    "findings",
    metadata,
    Column("finding_id", BigInteger, Identity(), primary_key=True),
    Column("host_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("ts", UTC_TIME, nullable=False),
    Column("status", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Column("body", Text),  # JSON: the finding's value; null where it has none
    UniqueConstraint("host_id", "kind", "ts"),
    Index("findings_ts", "ts"),
)
alerts = Table(
    "alerts",
    metadata,
    Column("key", Text, primary_key=True),  # rule, host and item
    Column("raised", UTC_TIME, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("host", Text, nullable=False),  # by name; empty: Jumpwatch itself
    Column("item", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("updated", UTC_TIME, nullable=False),
    Column("resolved", UTC_TIME),
    Column("acked", UTC_TIME),
    Column("silenced", UTC_TIME),
    Column("silenced_until", UTC_TIME),
    Column("body", Text, nullable=False),  # JSON: what is shown of it besides
    Index("alerts_resolved", "resolved"),
)
alert_changes = Table(
    "alert_changes",
    metadata,
    Column("change_id", BigInteger, Identity(), primary_key=True),
    Column("key", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("ts", UTC_TIME, nullable=False),
    Column("change", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("actor", Text, nullable=False, server_default=text("''")),
    Column("note", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("key", "ts", "change"),
    Index("alert_changes_ts", "ts"),
)
audit = Table(
    "audit",
    metadata,
    Column("entry_id", BigInteger, Identity(), primary_key=True),
    Column("audit_id", Text, nullable=False),
    Column("phase", Text, CheckConstraint("phase IN ('intent', 'outcome')"), nullable=False),
    Column("ts", UTC_TIME, nullable=False, server_default=func.now()),
    Column("actor", Text),
    Column("action", Text),
    Column("ok", Boolean),
    Column("summary", Text),
    Column("body", Text, nullable=False),  # JSON: the plan, or the outcome
    Column("correlation_id", Text),  # joins the row to the key press, the events and the log lines
    UniqueConstraint("audit_id", "phase"),
    Index("audit_ts", "ts"),
)
jobs = Table(
    "jumpwatch_jobs",
    metadata,
    Column("job_id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("last_run", UTC_TIME),
    Column("last_ok", Boolean),
    Column("last_error", Text),
    Column("total_runs", BigInteger, nullable=False, server_default=text("0")),
    Column("total_failures", BigInteger, nullable=False, server_default=text("0")),
)


@dataclass(frozen=True, slots=True)
class SampleTable:
    """A table of samples, cut into chunks by ``ts``; ``kind`` is the items' kind, empty for the hosts' own."""

    name: str
    kind: str
    columns: tuple[str, ...]
    types: tuple[str, ...]  # PostgreSQL's names, for casts of arrays

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the primary key before ts."""
        return ("host_id", "item_id") if self.kind else ("host_id",)

    @property
    def order_by(self) -> str:
        """Order within a compressed segment."""
        return "item_id, ts DESC" if self.kind else "ts DESC"


def _pg_type(column: Column[object]) -> str:
    if isinstance(column.type, DateTime):
        return "timestamptz"
    if isinstance(column.type, Double):
        return "float8"
    if isinstance(column.type, BigInteger):
        return "int8"
    return "int4" if isinstance(column.type, Integer) else "text"


def _sample_table(table: Table, kind: str) -> SampleTable:
    columns = tuple(column.name for column in table.columns)
    return SampleTable(table.name, kind, columns, tuple(_pg_type(column) for column in table.columns))


HOST_SAMPLES = _sample_table(host_samples, "")
FILESYSTEM_SAMPLES = _sample_table(filesystem_samples, "fs")
DISK_SAMPLES = _sample_table(disk_samples, "disk")
INTERFACE_SAMPLES = _sample_table(interface_samples, "net")
CONTAINER_SAMPLES = _sample_table(container_samples, CONTAINER)
UNIT_SAMPLES = _sample_table(unit_samples, UNIT)
FRAME_TABLES = (HOST_SAMPLES, FILESYSTEM_SAMPLES, DISK_SAMPLES, INTERFACE_SAMPLES)
LOOK_TABLES = (CONTAINER_SAMPLES, UNIT_SAMPLES)
SAMPLE_TABLES: tuple[SampleTable, ...] = (*FRAME_TABLES, *LOOK_TABLES)
SAMPLE_TABLE = {table.name: table for table in SAMPLE_TABLES}


@dataclass(frozen=True, slots=True)
class Rollup:
    """A coarser copy of a sample table: for each figure sum, count, min, max and last in a bucket."""

    name: str
    source: SampleTable
    width_s: int
    figures: tuple[str, ...]

    @property
    def width(self) -> str:
        """The bucket's width as an interval."""
        return f"{self.width_s} seconds"

    @property
    def order_by(self) -> str:
        """Order within a compressed segment."""
        return "item_id, bucket DESC" if self.source.kind else "bucket DESC"

    @property
    def columns(self) -> tuple[str, ...]:
        """The rollup's columns, in order."""
        made = (f"{figure}_{kind}" for figure in self.figures for kind in ("sum", "count", "min", "max", "last"))
        return ("bucket", *self.source.keys, "samples", *made)


MINUTE, HOUR = 60, 3600
_ROLLED: dict[SampleTable, tuple[str, ...]] = {
    HOST_SAMPLES: (
        "cpu_pct", "iowait_pct", "load1", "mem_total", "mem_available", "swap_free", "psi_memory", "psi_io",
    ),
    FILESYSTEM_SAMPLES: ("size", "used", "available", "inodes_used"),
    DISK_SAMPLES: ("read_bps", "write_bps", "busy_pct"),
    INTERFACE_SAMPLES: ("rx_bps", "tx_bps", "errors_ps"),
    CONTAINER_SAMPLES: ("cpu_pct", "mem_used", "rx_bytes", "tx_bytes"),
    UNIT_SAMPLES: ("cpu_pct", "mem_used", "tasks", "restarts"),
}  # fmt: skip
# A look each half minute or minute makes a row or two a minute: five columns for each of their figures would be more
# than the rows themselves.
ROLLUPS: tuple[Rollup, ...] = tuple(
    Rollup(f"{table.name}_{suffix}", table, width, figures)
    for table, figures in _ROLLED.items()
    for suffix, width in (("1m", MINUTE), ("1h", HOUR))
    if table in FRAME_TABLES or width == HOUR
)
ROLLUP = {rollup.name: rollup for rollup in ROLLUPS}
