"""Making anew what a database at the right revision has lost: tables, columns, keys, indexes, default partitions."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import CheckConstraint, Constraint, Index, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import AddConstraint, CreateColumn, CreateIndex, CreateTable

from core.exceptions import InfrastructureException
from core.storage.engine import Database
from core.storage.schema import ROLLUP, SAMPLE_TABLE, metadata
from core.storage.steps import StepResult, StepState
from core.storage.validate import Found, read_found, wanted_keys
from core.storage.validate_policies import policy_drift

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_LOCK_WAIT_MS = "2000"


async def repair(database: Database) -> list[StepResult]:
    """Add what is missing; nothing is changed or dropped. Each piece is a step of its own, so that one may fail."""
    async with database.connect("read the schema") as connection:
        found = await read_found(connection)
        lost = [] if database.timescale else await policy_drift(database, connection, found.kinds)
    work = [piece for table in metadata.sorted_tables for piece in _missing(table, found, database.timescale)]
    for kind, target, _, _ in lost:
        parent = target.removesuffix("_default")
        if kind == "partitions" and target != parent and (parent in SAMPLE_TABLE or parent in ROLLUP):
            work.append((target, [f"CREATE TABLE {target} PARTITION OF {parent} DEFAULT"]))
    return [await _make(database, target, statements) for target, statements in work]


async def _make(database: Database, target: str, statements: list[str]) -> StepResult:
    try:
        async with database.maintenance(operation=f"make {target} anew", transaction=True) as connection:
            await connection.execute(text("SELECT set_config('lock_timeout', :ms, true)"), {"ms": _LOCK_WAIT_MS})
            for statement in statements:
                await connection.execute(text(statement.replace(":", r"\:")))  # made from our own schema, no parameters
    except InfrastructureException as error:
        return StepResult("repair", target, StepState.FAILED, error.message)
    return StepResult("repair", target, StepState.CREATED, "it was missing")


def _missing(table: Table, found: Found, timescale: bool) -> Iterator[tuple[str, list[str]]]:
    name = table.name
    if name not in found.kinds:
        yield name, [*_create(table, timescale), *(_sql(CreateIndex(index)) for index in _indexes(table))]
        return
    for column in table.columns:
        if column.name not in found.columns[name]:
            yield f"{name}.{column.name}", [f"ALTER TABLE {name} ADD COLUMN {_sql(CreateColumn(column))}"]
    for key, constraint in wanted_keys(table).items():
        lost = any(column not in found.columns[name] for column in key[1])
        if key not in found.keys.get(name, set()) and not (key[0] == "c" and lost):
            yield f"{name} ({', '.join(key[1])})", [_constraint(name, constraint)]
    for index in _indexes(table):
        if index.name not in found.indexes.get(name, {}):
            yield str(index.name), [_sql(CreateIndex(index))]


def _constraint(table: str, constraint: Constraint) -> str:
    if isinstance(constraint, CheckConstraint):  # a column's own: it knows no table
        return f"ALTER TABLE {table} ADD CHECK ({constraint.sqltext})"
    return _sql(AddConstraint(constraint, isolate_from_table=False))


def _create(table: Table, timescale: bool) -> list[str]:
    statement = _sql(CreateTable(table))
    if table.name not in SAMPLE_TABLE or timescale:  # the step for hypertables comes after this one
        return [statement]
    default = f"CREATE TABLE {table.name}_default PARTITION OF {table.name} DEFAULT"
    return [f"{statement} PARTITION BY RANGE (ts)", default]


def _indexes(table: Table) -> list[Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))


def _sql(element: CreateTable | CreateColumn | CreateIndex | AddConstraint) -> str:
    return str(element.compile(dialect=_DIALECT)).strip()
