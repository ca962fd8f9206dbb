"""What containers and units use, a row each time their collector has looked; until now only findings told it."""

from __future__ import annotations

from alembic import context, op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEYS = "host_id integer NOT NULL, item_id integer NOT NULL, ts timestamptz NOT NULL"
_SAMPLES = {
    "container_samples": f"""{_KEYS}, cpu_pct double precision, mem_used bigint, mem_limit bigint, rx_bytes bigint,
        tx_bytes bigint, read_bytes bigint, written_bytes bigint, pids bigint, PRIMARY KEY (host_id, item_id, ts)""",
    "unit_samples": f"""{_KEYS}, cpu_pct double precision, mem_used bigint, tasks bigint, restarts bigint,
        PRIMARY KEY (host_id, item_id, ts)""",
}


def upgrade() -> None:
    """Add the tables, empty: nothing that is there is touched. Chunks or partitions come as for the others."""
    partitioned = " PARTITION BY RANGE (ts)" if context.config.attributes["mode"] == "partitions" else ""
    for name, columns in _SAMPLES.items():
        op.execute(f"CREATE TABLE {name} ({columns}){partitioned}")
        if partitioned:
            op.execute(f"CREATE TABLE {name}_default PARTITION OF {name} DEFAULT")
