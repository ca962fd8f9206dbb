"""What environment=production refuses: values that are fine on a desk and unsafe where others can reach them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import SecretStr

from core.config.types import is_local, web_host

if TYPE_CHECKING:
    from core.config.application import ApplicationSettings

MIN_SECRET = 32
_MIN_DIFFERENT = 8
_WORDS = re.compile(
    r"change|me\b|your|secret|password|passwd|default|example|insecure|sample|placeholder|replace|this|test|key|token"
    r"|admin|jumpwatch|qwerty|asdf|letmein|production|development|please|must|with|random|some|string"
)
# What installers and examples set, and what everybody tries first.
_COMMON = frozenset({
    "admin", "changeme", "changeit", "default", "example", "jumpwatch", "letmein", "p@ssw0rd", "pass", "passw0rd",
    "password", "password1", "postgres", "qwerty", "redis", "root", "secret", "test", "timescale", "timescaledb",
    "welcome", "1234", "12345", "123456", "12345678", "123456789",
})  # fmt: skip
_MAKE = "make one with `openssl rand -base64 33`"


def findings(settings: ApplicationSettings) -> Iterator[tuple[str, str]]:
    """Yield the variable and the problem, with the way out, of each insecure value; no value of a secret."""
    if settings.environment == "production":
        yield from _stores(settings)
        yield from _service(settings)
        yield from _webhooks(settings)


def _stores(settings: ApplicationSettings) -> Iterator[tuple[str, str]]:
    database, redis = settings.database, settings.redis
    if not database.local and database.ssl_mode in ("disable", "prefer"):
        yield (
            "JUMPWATCH_DATABASE_SSL_MODE",
            f"is {database.ssl_mode}: a database on another machine ({database.host}) needs require, verify-ca or "
            "verify-full",
        )
    for variable, password, user in (
        ("JUMPWATCH_DATABASE_PASSWORD", database.password, database.user),
        ("JUMPWATCH_REDIS_PASSWORD", redis.password, redis.user),
    ):
        if password is not None and _common(password, user):
            yield variable, "is one that everybody tries first (or the user's name): set another one at the server"
    if redis.password is not None and not redis.local and not redis.tls:
        yield (
            "JUMPWATCH_REDIS_TLS",
            f"is off: the password would cross the network to {redis.host} in the clear; set it to true, or use a "
            "Redis on this machine",
        )


def _service(settings: ApplicationSettings) -> Iterator[tuple[str, str]]:
    api = settings.api
    if settings.auth.secret_key is not None and (why := weakness(settings.auth.secret_key)):
        yield "JUMPWATCH_AUTH_SECRET_KEY", f"{why}: {_MAKE}, or leave it out for a new one at each start"
    for number, key in enumerate(api.keys, 1):
        if why := weakness(key):
            yield "JUMPWATCH_API_KEYS", f"has as key {number} one that {why}: {_MAKE}"
    if not api.local and not api.keys:
        yield (
            "JUMPWATCH_API_HOST",
            f"is {api.host}, open to other machines, and JUMPWATCH_API_KEYS is empty: set keys, or listen on 127.0.0.1",
        )
    if "*" in api.cors_origins and api.cors_credentials:
        yield (
            "JUMPWATCH_API_CORS_ORIGINS",
            "is * while JUMPWATCH_API_CORS_CREDENTIALS is true, so any web page could act for who is logged in: "
            "name the origins, or set JUMPWATCH_API_CORS_CREDENTIALS to false",
        )


def _webhooks(settings: ApplicationSettings) -> Iterator[tuple[str, str]]:
    external = settings.external
    if external.webhook_secret is not None and (why := weakness(external.webhook_secret)):
        yield "JUMPWATCH_EXTERNAL_WEBHOOK_SECRET", f"{why}: {_MAKE}"
    for number, url in enumerate(external.webhook_urls, 1):
        text = url.get_secret_value()
        if text.lower().startswith("http://") and not is_local(web_host(text)):
            yield (
                "JUMPWATCH_EXTERNAL_WEBHOOK_URLS",
                f"has as URL {number} one that sends alerts to another machine in the clear: use https://",
            )


def weakness(secret: SecretStr) -> str:
    """Say what is wrong with a secret of ours, "" if nothing: too short, or easily guessed."""
    text = secret.get_secret_value()
    if len(text) < MIN_SECRET:
        return f"is shorter than {MIN_SECRET} characters"
    steps = sum(abs(ord(a) - ord(b)) <= 1 for a, b in pairwise(text))
    repeats = text in (text + text)[1:-1]  # made of one part, again and again
    rest = _WORDS.sub("", text.lower())
    if repeats or steps > len(text) / 2 or len(rest) < MIN_SECRET / 2 or len(set(rest)) < _MIN_DIFFERENT:
        return "is easily guessed"
    return ""


def _common(password: SecretStr, user: str | None) -> bool:
    text = password.get_secret_value().lower()
    return text in _COMMON or text in ("", (user or "").lower())
