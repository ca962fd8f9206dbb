"""The closed sets of words in the records; apart from them, for the first paint needs words and makes no record."""

from __future__ import annotations

from enum import StrEnum


class HostState(StrEnum):
    """What is known of a host, worst last."""

    ONLINE = "online"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"
    DEGRADED = "degraded"
    OFFLINE = "offline"


class Reason(StrEnum):
    """Why a host is not online; failures that want different remedies are told apart."""

    NONE = ""
    PENDING = "pending"  # not tried yet
    NAME = "name"  # the name does not resolve
    ROUTE = "route"  # no route, network unreachable
    PORT = "port"  # connection refused
    FILTERED = "filtered"  # nothing answers the TCP connect
    PROTOCOL = "protocol"  # something else than SSH answers
    KEY_UNKNOWN = "key-unknown"
    KEY_CHANGED = "key-changed"
    LOGIN = "login"
    SHELL = "shell"  # logged in, but the loop does not run
    TIMEOUT = "timeout"
    LOST = "lost"  # the connection broke
    DATA = "data"  # frames come, nothing in them can be read
    RESOURCE = "resource"  # degraded: a figure over its threshold


class SectionStatus(StrEnum):
    """What became of one section of a frame on the host."""

    OK = "ok"
    ABSENT = "absent"  # the host has no such thing
    FORBIDDEN = "forbidden"  # it has, and the login may not read it
    TIMEOUT = "timeout"
    BROKEN = "broken"  # it was sent and cannot be read


class MarkKind(StrEnum):
    """What a mark on the time line stands for."""

    STATE = "state"  # a host went from one state to another
    ACTION = "action"  # somebody did something: a row of the audit
    ALERT = "alert"  # an alert was raised


class StorageMode(StrEnum):
    """Where the data lives; written into the database at init, never flips by itself."""

    TIMESCALEDB = "timescaledb"
    PARTITIONS = "partitions"
