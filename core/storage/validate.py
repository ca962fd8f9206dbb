"""Whether the schema is as this program wants it; what has drifted is named, with the way out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, PrimaryKeyConstraint, Table, UniqueConstraint, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from core.storage.engine import Database
from core.storage.revisions import HEAD, revision_of
from core.storage.schema import ROLLUPS, SAMPLE_TABLE, metadata
from core.storage.validate_policies import policy_drift

INIT = "`jumpwatch db init` makes it"
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

_COLUMNS = text("""
SELECT c.relname::text AS table_name, c.relkind::text AS kind, a.attname::text AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
       a.atthasdef OR a.attidentity <> '' AS filled
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relname = ANY (CAST(:tables AS text[])) AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY a.attnum
""")
# Keys are told by their columns, for names may differ; checks by table and column, for servers rewrite their text.
_CONSTRAINTS = text("""
SELECT c.relname::text AS table_name, k.contype::text AS kind, k.convalidated AS valid,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
             ORDER BY u.place) AS columns
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
WHERE c.relname = ANY (CAST(:tables AS text[])) AND k.contype IN ('p', 'u', 'c')
""")
_INDEXES = text("""
SELECT c.relname::text AS table_name, r.relname::text AS name, i.indisvalid AS valid
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
WHERE c.relname = ANY (CAST(:tables AS text[]))
""")


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not as it should be: ``kind`` is "table", "column", "type", "key", "index", "policy" ..."""

    kind: str
    target: str  # "audit", "audit.body", "host_samples_1h"
    found: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.kind} {self.target}: {self.found}; {self.way_out}"


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """Whether the schema is as this version wants it. ``notes`` are harmless findings: columns of somebody else."""

    ok: bool
    revision: str | None
    expected: str
    drift: tuple[Drift, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The catalogue's answer about our tables."""

    kinds: dict[str, str]  # relkind by table
    columns: dict[str, dict[str, Any]]  # by table and column
    keys: dict[str, set[tuple[str, tuple[str, ...]]]]  # contype and columns, by table
    indexes: dict[str, dict[str, bool]]  # validity by table and name


async def validate(database: Database) -> SchemaReport:
    """Compare tables, columns, keys, indexes, chunks, rollups and policies with what this version makes."""
    async with database.connect("read the schema") as connection:
        at = await revision_of(connection)
        if at is None:
            missing = Drift("schema", database.where, "it is not set up", INIT)
            return SchemaReport(False, None, HEAD, (missing,))
        found = await read_found(connection)
        drift = [*_revision(at), *_tables(found)]
        drift += [Drift(*one) for one in await policy_drift(database, connection, found.kinds)]
    return SchemaReport(not drift, at, HEAD, tuple(drift), tuple(_notes(found)))


async def read_found(connection: AsyncConnection) -> Found:
    """Read what the catalogue has of our tables and rollups."""
    names = {"tables": [*metadata.tables, *(rollup.name for rollup in ROLLUPS)]}
    found = Found({}, {}, {}, {})
    for row in await connection.execute(_COLUMNS, names):
        found.kinds[row.table_name] = row.kind
        found.columns.setdefault(row.table_name, {})[row.name] = row
    for row in await connection.execute(_CONSTRAINTS, names):
        found.keys.setdefault(row.table_name, set()).add((row.kind, tuple(row.columns)))
    for row in await connection.execute(_INDEXES, names):
        found.indexes.setdefault(row.table_name, {})[row.name] = row.valid
    return found


def wanted_type(column: Column[Any]) -> str:
    """Return a column's type in PostgreSQL's own words: "timestamp with time zone", "text[]" ..."""
    return column.type.compile(dialect=_DIALECT).lower()


def wanted_keys(table: Table) -> dict[tuple[str, tuple[str, ...]], Any]:
    """Return a table's primary key, unique and check constraints by kind and columns."""
    wanted: dict[tuple[str, tuple[str, ...]], Any] = {}
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint):
            wanted["p", tuple(column.name for column in constraint.columns)] = constraint
        elif isinstance(constraint, UniqueConstraint):
            wanted["u", tuple(column.name for column in constraint.columns)] = constraint
    for column in table.columns:
        for check in column.constraints:
            wanted["c", (column.name,)] = check
    return wanted


def _revision(at: str) -> Iterator[Drift]:
    if at != HEAD:
        yield Drift("schema", at, f"this version wants revision {HEAD}", "`jumpwatch db init` brings it up to date")


def _tables(found: Found) -> Iterator[Drift]:
    for table in metadata.sorted_tables:
        name = table.name
        if name not in found.kinds:
            yield Drift("table", name, "missing", INIT)
            continue
        yield from _columns(table, found.columns[name])
        words = {"p": "primary key", "u": "unique constraint", "c": "check"}
        for kind, columns in sorted(wanted_keys(table)):
            if (kind, columns) not in found.keys.get(name, set()):
                yield Drift("key", name, f"the {words[kind]} ({', '.join(columns)}) is missing", INIT)
        there = found.indexes.get(name, {})
        for index in sorted(str(index.name) for index in table.indexes):
            if index not in there:
                yield Drift("index", index, f"missing on {name}", INIT)
        for index, valid in sorted(there.items()):
            if not valid:
                way = "DROP" if "_cc" in index else "REINDEX"
                way = f"by hand: {way} INDEX CONCURRENTLY {index}"
                yield Drift("index", index, f"invalid on {name}: a build of it was cut off", way)


def _columns(table: Table, there: dict[str, Any]) -> Iterator[Drift]:
    for column in table.columns:
        target = f"{table.name}.{column.name}"
        row = there.get(column.name)
        if row is None:
            yield Drift("column", target, "missing", INIT)
            continue
        wanted = wanted_type(column)
        if row.type != wanted:
            by_hand = f"by hand: ALTER TABLE {table.name} ALTER COLUMN {column.name} TYPE {wanted}, then {INIT}"
            yield Drift("type", target, f"it is {row.type}, {wanted} is wanted", by_hand)
        if not column.nullable and not row.required:
            by_hand = f"by hand: ALTER TABLE {table.name} ALTER COLUMN {column.name} SET NOT NULL"
            yield Drift("column", target, "it takes nulls", by_hand)


def _notes(found: Found) -> Iterator[str]:
    for table in metadata.sorted_tables:
        for name, row in found.columns.get(table.name, {}).items():
            if name in table.columns:
                continue
            if row.required and not row.filled:
                yield f"{table.name}.{name} is not ours, and refuses our rows: it wants a value and has no default"
            else:
                yield f"{table.name}.{name} is not ours; it does no harm"
    for name in sorted(set(found.kinds) & SAMPLE_TABLE.keys()):
        if found.kinds[name] not in "rp":
            yield f"{name} is no table but a view"
