"""Policies changed by hand, kept in the database: each holds until the setting that it replaced is changed itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.config import RetentionSettings
from core.exceptions import ConfigurationError
from core.logging import get_logger

if TYPE_CHECKING:
    from core.storage.engine import Database

_LOG = get_logger(__name__)
_PREFIX = "policy:"
_READ = text("SELECT key, value FROM jumpwatch_meta WHERE key LIKE 'policy:%'")
NAMES = ("compress_after", "raw_retention", "rollup_minute_retention", "rollup_hour_retention")


def in_force_of(settings: RetentionSettings, notes: Mapping[str, str]) -> RetentionSettings:
    """Return the settings with the changes that still hold; all of them are passed over where they no longer fit."""
    changed: dict[str, timedelta] = {}
    for name in NAMES:
        try:
            note = json.loads(notes[_PREFIX + name])
            value, instead_of = timedelta(seconds=note["seconds"]), timedelta(seconds=note["instead_of"])
        except (KeyError, TypeError, ValueError, OverflowError):  # none, or not one of ours
            continue
        if instead_of == getattr(settings, name):  # the later word is the settings' where they were changed since
            changed[name] = value
    if not changed:
        return settings
    try:
        return RetentionSettings(**{**settings.model_dump(), **changed})
    except ConfigurationError as error:
        _LOG.warning("policies changed by hand do not fit the settings", names=sorted(changed), reason=error.message)
        return settings


async def in_force(connection: AsyncConnection, settings: RetentionSettings) -> RetentionSettings:
    """Return the settings with what was changed by hand; the database must be set up."""
    rows = (await connection.execute(_READ)).all()
    return in_force_of(settings, {row.key: row.value for row in rows})


async def reread(database: Database, connection: AsyncConnection) -> None:
    """Take up what another console changed meanwhile."""
    database.retention = await in_force(connection, database.configured_retention)
