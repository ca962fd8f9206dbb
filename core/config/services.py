"""What Jumpwatch serves and what it calls. Their readers are later pieces, and every field says which."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from core.config.fields import Section
from core.config.types import ApiKeys, Duration, HostName, Name, Origins, RemotePath, Secret, WebUrls, is_local

_HTTP = "; read by the HTTP service, a later piece"
_NOTES = "; read by notifications, a later piece"


class AuthSettings(Section):
    """Who may use the HTTP service: its signed sessions."""

    section: ClassVar[str] = "auth"

    secret_key: Secret | None = Field(
        default=None,
        description=f"key that signs sessions, 32 characters and more; none: a new one at each start{_HTTP}",
    )
    session_lifetime: Duration = Field(
        default=timedelta(hours=8),
        ge=timedelta(minutes=1),
        le=timedelta(days=30),
        description=f"age at which a session ends{_HTTP}",
    )


class APISettings(Section):
    """Where the HTTP service listens and whom it answers."""

    section: ClassVar[str] = "api"

    host: HostName = Field(default="127.0.0.1", description=f"address to listen on{_HTTP}")
    port: int = Field(default=8470, ge=1, le=65535, description=f"port to listen on{_HTTP}")
    keys: ApiKeys = Field(default=(), max_length=100, description=f"keys of programs that may ask{_HTTP}")
    cors_origins: Origins = Field(
        default=(), max_length=100, description=f"web pages that may ask, such as `https://host:8443`{_HTTP}"
    )
    cors_credentials: bool = Field(default=False, description=f"whether such pages may send cookies{_HTTP}")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_local(self.host)


class SWAGSettings(Section):
    """The SWAG reverse proxy whose proxy-confs and certificates the Proxies pane shows."""

    section: ClassVar[str] = "swag"

    host: Name | None = Field(
        default=None, description="its host, as the inventory names it; none: every host is looked at"
    )
    config_dir: RemotePath = Field(
        default="/config", description="its config folder on that host (nginx/proxy-confs lies in it)"
    )
    interval_s: float = Field(default=300.0, ge=10, le=86400, description="seconds between two looks")
    expiry_warning: Duration = Field(
        default=timedelta(days=14),
        ge=timedelta(hours=1),
        le=timedelta(days=365),
        description="a certificate that ends sooner is marked",
    )


class ExternalIntegrationSettings(Section):
    """What is told to others: webhooks of chats, pagers and the like."""

    section: ClassVar[str] = "external"

    webhook_urls: WebUrls = Field(
        default=(), max_length=20, description=f"where alerts are posted; secret, for many hold a token{_NOTES}"
    )
    webhook_secret: Secret | None = Field(
        default=None, description=f"key that signs what is posted (HMAC-SHA256), 32 characters and more{_NOTES}"
    )
    min_severity: Literal["info", "warning", "error"] = Field(
        default="warning", description=f"what is less severe is not posted{_NOTES}"
    )
    timeout_s: float = Field(default=10.0, ge=0.5, le=60, description=f"seconds to wait for a receiver{_NOTES}")
