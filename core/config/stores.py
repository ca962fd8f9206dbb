"""Where data is kept: the settings of the database and of the cache."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr

from core.config.fields import Section, refusal
from core.config.layers import Layer
from core.config.types import AsciiName, HomePath, HostName, Name, PostgresName, Secret, Server, is_local
from core.config.urls import parse_database_url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
_SERVER = ("url", "host", "port", "user", "name", "ssl_mode", "ssl_root_cert")
_CACHE = "; read by the cache, a later piece"


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise refusal(
            ["JUMPWATCH_DATABASE_USER is not set, and this account has no name"], ["JUMPWATCH_DATABASE_USER"]
        ) from None


class DatabaseSettings(Section):
    """Which database, how to reach it, how long to wait; with no host given, the embedded PostgreSQL."""

    section: ClassVar[str] = "database"

    url: Secret | None = Field(
        default=None,
        description="`postgresql://USER:PASSWORD@HOST:PORT/NAME?sslmode=verify-full`: all of a server at once",
    )
    host: Server | None = Field(default=None, description="host, address or socket folder; none: the embedded database")
    port: int = Field(default=5432, ge=1, le=65535, description="port of the server")
    user: PostgresName | None = Field(default=None, description="role to log in as; none: the login name")
    password: Secret | None = Field(default=None, description="password of the role")
    name: PostgresName = Field(default="jumpwatch", description="name of the database")
    ssl_mode: SslMode = Field(
        default="prefer", description="TLS as libpq has it; `verify-full` checks the server's name"
    )
    ssl_root_cert: HomePath | None = Field(
        default=None, description="authority (PEM) that signs the server's certificate; none: the system's"
    )
    pool_size: int = Field(default=5, ge=1, le=100, description="connections kept open")
    max_overflow: int = Field(default=5, ge=0, le=100, description="connections beyond those, while they are needed")
    pool_timeout_s: float = Field(default=10.0, ge=0.1, le=300, description="seconds to wait for a free connection")
    connect_timeout_s: float = Field(default=5.0, ge=0.1, le=120, description="seconds to wait for a new connection")
    statement_timeout_s: float = Field(default=15.0, ge=0.1, le=3600, description="seconds one statement may take")
    lock_timeout_s: float = Field(default=5.0, ge=0.1, le=600, description="seconds to wait for a lock")
    idle_in_transaction_timeout_s: float = Field(
        default=30.0, ge=1, le=3600, description="seconds a transaction may rest before the server ends it"
    )
    maintenance_timeout_s: float = Field(
        default=3600.0, ge=1, le=86400, description="seconds for compression, VACUUM and the like"
    )
    application_name: AsciiName = Field(default="jumpwatch", description="how sessions are named in `pg_stat_activity`")

    @classmethod
    def merge(cls, layers: tuple[Layer, ...]) -> dict[str, Any]:
        """Merge with each URL taken apart in its own layer, so that parts above it win and parts below it do not.

        A URL names a whole server: what lower layers say of theirs is forgotten. Their password is kept only where
        they name no server themselves, lest one server's password be sent to another.
        """
        merged: dict[str, Any] = {}
        for layer in reversed(layers):
            own = cls.own_values(layer)
            url = own.get("url")
            if url is not None:
                parts = parse_database_url(url.get_secret_value() if isinstance(url, SecretStr) else str(url))
                if "host" in merged:
                    merged.pop("password", None)
                merged = {key: value for key, value in merged.items() if key not in _SERVER}
                own = {**parts, **own} if layer.label == "given" else {**own, **parts}
            merged.update(own)
        return merged

    @property
    def configured(self) -> bool:
        """Whether a database was given; else the embedded one is used."""
        return self.host is not None

    @property
    def local(self) -> bool:
        """Whether the server is on this machine (socket folder, localhost or a loopback address)."""
        return self.host is None or self.host.startswith("/") or is_local(self.host)

    @property
    def database_url(self) -> URL:
        """SQLAlchemy URL (postgresql+asyncpg); its text hides the password. ``ssl_mode`` is not in it.

        Without host and login where none is configured: the embedded server's address is known to who starts it.
        """
        from sqlalchemy.engine import URL  # late: reading settings must not load SQLAlchemy

        if self.host is None:
            return URL.create("postgresql+asyncpg", database=self.name)
        socket = self.host.startswith("/")
        return URL.create(
            "postgresql+asyncpg",
            username=self.user or (_login_name() if self.password else None),  # the text has no password without a user
            password=self.password.get_secret_value() if self.password else None,
            host=None if socket else self.host,
            port=None if socket else self.port,
            database=self.name,
            query={"host": self.host, "port": str(self.port)} if socket else {},
        )

    @property
    def label(self) -> str:
        """Name and place for people: "jumpwatch at db.example:5432"; never the password."""
        if self.host is None:
            return f"{self.name} (embedded)"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name} at {host}" + ("" if self.host.startswith("/") else f":{self.port}")


class RedisSettings(Section):
    """The Redis that caches answers of the HTTP service."""

    section: ClassVar[str] = "redis"

    enabled: bool = Field(default=False, description=f"whether answers are cached{_CACHE}")
    host: HostName = Field(default="localhost", description=f"host or address of the server{_CACHE}")
    port: int = Field(default=6379, ge=1, le=65535, description=f"port of the server{_CACHE}")
    user: Name | None = Field(default=None, description=f"user of its access list; none: the default user{_CACHE}")
    password: Secret | None = Field(default=None, description=f"password{_CACHE}")
    database: int = Field(default=0, ge=0, le=9999, description=f"number of the database{_CACHE}")
    tls: bool = Field(default=False, description=f"TLS, checked against the system's authorities{_CACHE}")
    timeout_s: float = Field(default=2.0, ge=0.1, le=60, description=f"seconds to wait for an answer{_CACHE}")

    @property
    def local(self) -> bool:
        """Whether the server is on this machine."""
        return is_local(self.host)

    @property
    def redis_url(self) -> str:
        """redis:// or rediss:// URL with every special character as %XX. It holds the password: not for logs."""
        user = quote(self.user or "", safe="")
        if self.password:
            user += f":{quote(self.password.get_secret_value(), safe='')}"
        # A zone's % is written %25 (RFC 6874); clients take the host apart and decode it.
        host = f"[{self.host.replace('%', '%25')}]" if ":" in self.host else self.host
        scheme = "rediss" if self.tls else "redis"
        return f"{scheme}://{user}{'@' if user else ''}{host}:{self.port}/{self.database}"
