"""A moment as people type it: ``14:30``, ``yesterday 03:00``, ``-2h``, ISO; pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

EXAMPLES = "14:30   yesterday 03:00   mon 9:15   -2h   -1d12h   2026-11-20 14:30   2026-11-20T14:30Z"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BACK = re.compile(r"^-?\s*((?:\d+(?:\.\d+)?\s*[smhdw]\s*)+)(ago)?$")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_CLOCK = re.compile(r"^(\d{1,2}):(\d{2})(?::(\d{2}))?$")
_SHORT_DATE = re.compile(r"^(\d{1,2})-(\d{1,2})$")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_moment(text: str, now: datetime, *, utc: bool = True) -> datetime:
    """Return the moment meant, in UTC; times without a zone are of the chosen clock. ValueError says what is wrong."""
    words = text.strip().lower()
    if not words:
        raise ValueError("type a moment")
    found = _back(words, now) or _day_and_time(words, now, utc) or _iso(text.strip(), utc)
    if found is None:
        raise ValueError("not understood as a moment")
    if found > now:
        raise ValueError("that is still to come")
    return found.astimezone(UTC)


def _back(words: str, now: datetime) -> datetime | None:
    match = _BACK.match(words)
    if match is None or not (words.startswith("-") or match[2]):
        return None
    try:
        return now - timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(match[1])))
    except OverflowError:
        raise ValueError("that is too long ago") from None


def _day_and_time(words: str, now: datetime, utc: bool) -> datetime | None:
    """Return what ``[day] [hh:mm]`` means; a time alone is the last one that has been."""
    here = now.astimezone(UTC) if utc else now.astimezone()
    first, _, rest = words.partition(" ")
    day = _day(first, here.date())
    clock = _time(rest.strip() if day else words, here)
    if clock is None:
        return None
    if day is not None:
        found = _at(day, clock, utc)
        # The same weekday means last week's where today's is still to come.
        return found - timedelta(days=7) if first[:3] in _DAYS and found > now else found
    found = _at(here.date(), clock, utc)
    return found if found <= now else _at(here.date() - timedelta(days=1), clock, utc)


def _day(word: str, today: date) -> date | None:
    if word in ("today", "yesterday"):
        return today - timedelta(days=int(word == "yesterday"))
    if word[:3] in _DAYS and word.isalpha() and "monday tuesday wednesday thursday friday saturday sunday".count(word):
        return today - timedelta(days=(today.weekday() - _DAYS.index(word[:3])) % 7)
    if match := _SHORT_DATE.match(word):
        try:
            day = date(today.year, int(match[1]), int(match[2]))
            return day if day <= today else day.replace(year=today.year - 1)
        except ValueError:
            raise ValueError(f"there is no day {word}") from None
    return None


def _time(word: str, here: datetime) -> time | None:
    if not word:
        return here.time()
    match = _CLOCK.match(word)
    if match is None:
        return None
    try:
        return time(int(match[1]), int(match[2]), int(match[3] or 0))
    except ValueError:
        raise ValueError(f"there is no time {word}") from None


def _at(day: date, clock: time, utc: bool) -> datetime:
    plain = datetime.combine(day, clock)
    return plain.replace(tzinfo=UTC) if utc else plain.astimezone()


def _iso(text: str, utc: bool) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is not None:
        return found
    try:
        return found.replace(tzinfo=UTC) if utc else found.astimezone()
    except (OverflowError, OSError):
        raise ValueError("that is too long ago") from None
