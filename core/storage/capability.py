"""What the connected server can do, read once; nothing else asks for the extension."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.models import Capability, StorageMode

OLDEST_SERVER = 150000
OLDEST_TIMESCALE = (2, 13)
GET_TIMESCALE = (
    "needs TimescaleDB: use a server with the timescaledb extension (packages of the project on PostgreSQL 15 or "
    "newer, or the image timescale/timescaledb), then `jumpwatch db init` in a new database there"
)
GET_LICENCE = (
    "needs TimescaleDB's community licence: install its community packages, set timescaledb.license = 'timescale' on "
    "the server, then `jumpwatch db init` in a new database there"
)

_READ = text("""
SELECT current_setting('server_version') AS server, current_setting('server_version_num')::int AS number,
       (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timescaledb') AS extension,
       (SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = 'timescaledb') AS available,
       current_setting('timescaledb.license', true) AS licence,
       current_setting('timescaledb.max_background_workers', true) AS workers,
       current_user AS role,
       coalesce((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), false) AS superuser,
       pg_catalog.to_regclass('public.jumpwatch_meta') IS NOT NULL AS known,
       coalesce((SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class
                 WHERE oid = pg_catalog.to_regclass('public.jumpwatch_meta')), true) AS owner,
       -- Before the set-up: whoever may make the tables will own them.
       coalesce((SELECT bool_and(pg_catalog.has_table_privilege(w.oid, w.wanted)) FROM (
                     SELECT pg_catalog.to_regclass('public.' || name) AS oid, unnest(rights) AS wanted
                     FROM (VALUES ('hosts', ARRAY['INSERT', 'UPDATE']), ('items', ARRAY['INSERT', 'UPDATE']),
                                  ('host_samples', ARRAY['INSERT']), ('transitions', ARRAY['INSERT']),
                                  ('container_samples', ARRAY['INSERT']), ('unit_samples', ARRAY['INSERT']),
                                  ('findings', ARRAY['INSERT']), ('alert_changes', ARRAY['INSERT']),
                                  ('alerts', ARRAY['INSERT', 'UPDATE']),
                                  ('audit', ARRAY['INSERT'])) AS v(name, rights)) w WHERE w.oid IS NOT NULL),
                pg_catalog.has_schema_privilege('public', 'CREATE')) AS writes,
       pg_catalog.has_schema_privilege('public', 'CREATE') AS creates,
       current_setting('transaction_read_only') = 'on' AS standby,
       EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = 'convert_to_columnstore') AS columnstore,
       EXISTS (SELECT FROM pg_catalog.pg_proc
               WHERE proname = 'compress_chunk' AND 'recompress' = ANY (proargnames)) AS recompresses
""")


def version_tuple(version: str | None) -> tuple[int, ...]:
    """Return (2, 27, 2) of "2.27.2"; empty for None."""
    numbers = []
    for part in (version or "").replace("-", ".").split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def get_compression(capability: Capability | None) -> str:
    """Say what compression needs here: the extension, or its community licence."""
    apache = capability is not None and capability.licence not in (None, "timescale")
    return GET_LICENCE if apache else GET_TIMESCALE


def fitting_mode(extension: str | None, licence: str | None) -> tuple[StorageMode, str]:
    """Return the mode for a database not yet set up, and why in one line."""
    if extension is None:
        return StorageMode.PARTITIONS, "the server has no timescaledb extension: plain partitions"
    if version_tuple(extension) < OLDEST_TIMESCALE:
        return StorageMode.PARTITIONS, f"TimescaleDB {extension} is older than 2.13: plain partitions"
    if licence is None:
        return StorageMode.PARTITIONS, f"TimescaleDB {extension} is not preloaded on the server: plain partitions"
    if licence != "timescale":
        return StorageMode.PARTITIONS, "TimescaleDB runs under its Apache licence (no compression): plain partitions"
    return StorageMode.TIMESCALEDB, f"TimescaleDB {extension}"


async def read_capability(connection: AsyncConnection, kind: str, *, single_session: bool) -> Capability:
    """Return what the server can do; the mode is the one recorded in the database, else the fitting one."""
    row = (await connection.execute(_READ)).one()
    mode, _ = fitting_mode(row.extension, row.licence)
    if row.known:
        recorded = await connection.scalar(text("SELECT value FROM jumpwatch_meta WHERE key = 'mode'"))
        if recorded:
            mode = StorageMode(recorded)
    compress = "CALL convert_to_columnstore" if row.columnstore else "SELECT compress_chunk"
    workers = row.extension is not None and not single_session and (row.workers or "0") != "0"
    return Capability(
        mode=mode,
        server_version=str(row.server).split(" ")[0],
        extension_version=row.extension,
        licence=row.licence if row.extension else None,
        background_workers=bool(workers),
        single_session=single_session,
        copy=True,  # our host script for the WebAssembly engine takes it over the wire too
        role=row.role,
        superuser=row.superuser,
        kind=kind,
        owner=row.owner,
        may_write=row.writes and not row.standby,
        may_maintain=(row.owner if row.known else row.creates) and not row.standby,
        standby=row.standby,
        compress_call=compress,
        # 2.13 refuses to compress a chunk a second time, and has a procedure for it
        recompress_call=compress if row.columnstore or row.recompresses else "CALL recompress_chunk",
    )
