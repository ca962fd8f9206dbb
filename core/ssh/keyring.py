"""The system's keyring, where the package keyring is there and the settings allow it."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Protocol

from pydantic import SecretStr

from core.exceptions import ConfigurationError

_SERVICE = "jumpwatch"
_WAIT_S = 10.0  # a locked keyring asks the person first
_Key = tuple[str, str, str]


class Keyring(Protocol):
    """Keeps secrets for longer than this process lives."""

    async def get(self, key: _Key) -> SecretStr | None: ...
    async def put(self, key: _Key, secret: SecretStr) -> None: ...


class _Backend(Protocol):
    def get_password(self, service: str, name: str) -> str | None: ...
    def set_password(self, service: str, name: str, secret: str) -> None: ...


class SystemKeyring:
    """Keyring over the package of that name; its calls block, and so run in threads."""

    def __init__(self, backend: _Backend) -> None:
        self._backend = backend

    async def get(self, key: _Key) -> SecretStr | None:
        """What is kept, None where nothing is or the keyring does not answer."""
        try:
            async with asyncio.timeout(_WAIT_S):
                found = await asyncio.to_thread(self._backend.get_password, _SERVICE, _name(key))
        except Exception:  # noqa: BLE001 - backends raise what they like; then a person is asked
            return None
        return SecretStr(found) if found else None

    async def put(self, key: _Key, secret: SecretStr) -> None:
        """Keep a secret; raises ConfigurationError where the keyring refuses."""
        try:
            async with asyncio.timeout(_WAIT_S):
                await asyncio.to_thread(self._backend.set_password, _SERVICE, _name(key), secret.get_secret_value())
        except Exception as exc:  # noqa: BLE001 - backends raise what they like
            raise ConfigurationError(
                f"the keyring did not take it ({type(exc).__name__}): answer without keeping it", operation="keyring"
            ) from None


def _name(key: _Key) -> str:
    return " ".join(part for part in key if part)


def system_keyring() -> SystemKeyring:
    """The keyring of this system; raises ConfigurationError where the package is missing. Blocking."""
    try:
        return SystemKeyring(import_module("keyring"))
    except ImportError:
        raise ConfigurationError(
            "JUMPWATCH_SSH_KEYRING is true and the package keyring is not installed: pip install keyring, or set false"
        ) from None
