"""Roles of the least privilege, as SQL to be read and run by who administers the server; nothing is run here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from core.exceptions import BusinessLogicError, ValidationError
from core.models import StorageMode
from core.storage.engine import Database
from core.storage.errors import NOT_INITIALISED
from core.storage.migrate import revision
from core.storage.schema import ROLLUPS, SAMPLE_TABLE, metadata

_TAG = "$jumpwatch$"
_LONGEST = 63 - len("_maintainer")
_ADDED_TO = {*SAMPLE_TABLE, "transitions", "findings", "alert_changes", "audit"}  # rows of these are only ever added
VERSION_TABLE = "jumpwatch_schema"

_FACTS = text("""
SELECT current_database() AS database, pg_get_userbyid(c.relowner) AS owner,
       (SELECT rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = c.relowner) AS superuser
FROM pg_catalog.pg_class c WHERE c.oid = to_regclass('public.jumpwatch_meta')
""")
# Partitions are relations of their own; chunks follow their table.
_RELATIONS = text("""
SELECT c.relname::text AS name, c.relkind::text AS kind FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
  AND coalesce(p.relname, c.relname) = ANY(CAST(:names AS name[]))
ORDER BY c.relname
""")


@dataclass(frozen=True, slots=True)
class Facts:
    """The database that the roles are for; ``relations`` are (name, kind) of ours, partitions too."""

    database: str
    owner: str
    superuser: bool  # the owner is one: its rights cannot be given on
    mode: StorageMode
    relations: Sequence[tuple[str, str]]


def quote(name: str) -> str:
    """Return an identifier as SQL wants it."""
    return postgresql.dialect().identifier_preparer.quote(name)  # type: ignore[no-untyped-call]


def names_of(prefix: str) -> tuple[str, str, str]:
    """Return the names of reader, writer and maintainer; ValidationError for a prefix that makes none."""
    if not prefix or len(prefix.encode()) > _LONGEST or not prefix.isprintable() or "$" in prefix:
        raise ValidationError(f"the prefix must have 1 to {_LONGEST} printable characters, and no $", operation="roles")
    if prefix.lower().startswith("pg_"):
        raise ValidationError("names that begin with pg_ are PostgreSQL's own", operation="roles")
    return f"{prefix}_reader", f"{prefix}_writer", f"{prefix}_maintainer"


async def roles_sql(database: Database, prefix: str = "jumpwatch") -> str:
    """Return the SQL that makes the three roles and gives them their rights; may be run again.

    Raises BusinessLogicError where the database is not set up.
    """
    names_of(prefix)  # before anything is asked
    if await revision(database) is None or database.capability is None:
        raise BusinessLogicError(f"{database.where}: {NOT_INITIALISED}, then ask again", operation="roles")
    ours = [*metadata.tables, VERSION_TABLE, *(rollup.name for rollup in ROLLUPS)]
    async with database.connect("read who owns the tables") as connection:
        row = (await connection.execute(_FACTS)).one()
        relations = [(r.name, r.kind) for r in await connection.execute(_RELATIONS, {"names": ours})]
    facts = Facts(row.database, row.owner, bool(row.superuser), database.capability.mode, relations)
    return render(facts, prefix)


def render(facts: Facts, prefix: str) -> str:
    """Return the SQL for known facts; ValidationError for names that would break out of a comment."""
    if not (facts.database.isprintable() and facts.owner.isprintable()):
        raise ValidationError("the names of database or owner hold unprintable characters", operation="roles")
    return "\n".join(_lines(facts, prefix)) + "\n"


def _lines(facts: Facts, prefix: str) -> Iterator[str]:
    reader, writer, maintainer = (quote(name) for name in names_of(prefix))
    database = quote(facts.database)
    owner = quote(f"{prefix}_owner") if facts.superuser else quote(facts.owner)
    yield from (
        f"-- Group roles for Jumpwatch in the database {facts.database}. May be run again, as after an upgrade.",
        "-- Run it in that database (psql -X -v ON_ERROR_STOP=1) as a superuser, or as a role that may create roles",
        "-- and may give the owner's rights on.",
        "BEGIN;",
    )
    yield from (_create(role, "NOLOGIN") for role in (reader, writer, maintainer))
    if facts.superuser:
        yield from _own(facts, owner)
    there = dict(facts.relations)
    rollups = [rollup.name for rollup in ROLLUPS if rollup.name in there]
    tables = [name for name in (*metadata.tables, VERSION_TABLE) if name in there]
    yield from (
        "",
        "-- No table may be made in this schema but by its owner, and by the owner of Jumpwatch's tables.",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        f"GRANT USAGE, CREATE ON SCHEMA public TO {owner};",
        "",
        "-- reader: looks, and changes nothing. Rights on a partitioned table or hypertable hold for all of its parts.",
        f"GRANT CONNECT ON DATABASE {database} TO {reader};",
        f"GRANT USAGE ON SCHEMA public TO {reader};",
        _grant("SELECT", [*tables, *rollups, *_defaults(facts)], reader),
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT ON TABLES TO {reader};",
        "",
        "-- writer: polls hosts and stores what they say; neither drops nor changes what was stored.",
        f"GRANT {reader} TO {writer};",
        _grant("INSERT", [name for name in tables if name in _ADDED_TO], writer),
        _grant("INSERT, UPDATE", [*_changed(tables), *_own_rollups(facts, rollups)], writer),
        "",
        "-- maintainer: compresses, drops old data, runs jobs, upgrades. Those want the tables' owner, so it is a",
        "-- member of it.",
        f"GRANT {writer} TO {maintainer};",
        f"GRANT {owner} TO {maintainer};",
        "COMMIT;",
    )
    yield from _guide(facts, owner, reader, writer, maintainer)


def _own(facts: Facts, owner: str) -> Iterator[str]:
    """Hand the tables of a superuser to a role of their own: a member of a superuser could become it."""
    timescale = facts.mode is StorageMode.TIMESCALEDB
    yield f"\n-- The tables belong to the superuser {facts.owner}, whose rights must not be given on."
    if timescale:
        yield "-- They get an owner of their own; it may log in, for background jobs run as it, and has no password."
    yield _create(owner, "LOGIN" if timescale else "NOLOGIN")
    yield f"GRANT USAGE, CREATE ON SCHEMA public TO {owner};"
    for name, kind in facts.relations:
        what = "MATERIALIZED VIEW" if kind == "v" else "TABLE"  # a continuous aggregate, with all that is behind it
        yield f"ALTER {what} public.{quote(name)} OWNER TO {owner};"


def _changed(tables: Iterable[str]) -> list[str]:
    return [name for name in tables if name not in _ADDED_TO and name != VERSION_TABLE]


def _own_rollups(facts: Facts, rollups: Iterable[str]) -> list[str]:
    """Return the rollups that are written by us and not by the server."""
    return [] if facts.mode is StorageMode.TIMESCALEDB else list(rollups)


def _defaults(facts: Facts) -> list[str]:
    """Return the partitions that are counted by themselves: rows in them lie where they should not."""
    return [name for name, _ in facts.relations if name.endswith("_default")]


def _guide(facts: Facts, owner: str, reader: str, writer: str, maintainer: str) -> Iterator[str]:
    database = quote(facts.database)
    yield from (
        "",
        "-- Give them to those who log in, one each:",
        f"--   CREATE ROLE anna LOGIN; \\password anna; GRANT {reader} TO anna;",
        f"--   CREATE ROLE watch LOGIN; \\password watch; GRANT {writer} TO watch;",
        f"--   CREATE ROLE admin LOGIN; \\password admin; GRANT {maintainer} TO admin;",
        f"--   ALTER ROLE admin IN DATABASE {database} SET role = {owner};  -- what they make is the owner's",
        "-- To let readers see who else is connected, and who polls: GRANT pg_read_all_stats TO " + reader + ";",
    )
    if facts.mode is not StorageMode.TIMESCALEDB:
        yield from (
            "-- Without TimescaleDB a writer makes no partitions: let a maintainer poll, or run `jumpwatch db init`",
            "-- each day. Rows that come without a partition lie in the default one until then; none is lost.",
        )


def _create(role: str, how: str) -> str:
    # The role may be there from the run before, or from another database of this server.
    inside = f"BEGIN CREATE ROLE {role} {how}; EXCEPTION WHEN duplicate_object THEN NULL; END"
    return f"DO {_TAG} {inside} {_TAG};"


def _grant(rights: str, tables: Sequence[str], role: str) -> str:
    return f"GRANT {rights} ON TABLE {', '.join(f'public.{quote(name)}' for name in tables)} TO {role};"
