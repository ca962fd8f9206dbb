"""What every server of ours promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """How asyncpg or SQLAlchemy connects: a Unix socket, no password, no TLS."""

    socket_dir: str
    port: int
    user: str
    database: str
    single_session: bool
    kind: Literal["embedded", "wasm"]


class ManagedServer(Protocol):
    """A database server whose life is ours."""

    async def start(self, progress: Progress) -> ServerAddress:
        """Start or join the server; ConfigurationError or DatabaseConnectionError say why it cannot be."""

    async def stop(self) -> None:
        """Let go of the server; safe to call twice, bounded, leaves no process behind."""
