"""Passwords, passphrases and answers: asked once of a person, kept in memory, in the keyring where it is wanted."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Literal

from pydantic import SecretStr

from core.exceptions import ResourceNotFoundError, SSHAuthenticationError, ValidationError
from core.models import Reason, SecretRequest
from core.ssh.identities import KeyFiles
from core.ssh.keyring import Keyring

_Key = tuple[str, str, str]
Kind = Literal["passphrase", "password", "answer"]
_TRIED_AGAIN_S = 600.0  # a place that waits for an answer is left alone for so long: each try counts as a failed login
_MOST = 2000  # requests that wait at once
_TEXT = 120
_KEPT_WORDS = ("password", "passwort", "passphrase", "contraseña", "mot de passe", "wachtwoord")
_ONCE_WORDS = ("one-time", "one time", "otp", "code", "token", "verification", "second", "new password")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question: of which kind, of which place (USER@HOST, or a key file), in the asker's own words."""

    kind: Kind
    place: str
    text: str
    echo: bool = False
    instruction: str = ""
    refused: bool = False

    @property
    def key(self) -> _Key:
        """What tells it from others; a password is the same one however it is asked for."""
        return ("password", self.place, "") if self.lasting else (self.kind, self.place, self.text)

    @property
    def lasting(self) -> bool:
        """Whether the answer is good more than once."""
        low = self.text.lower()
        return self.kind != "answer" or (
            not self.echo and any(w in low for w in _KEPT_WORDS) and not any(w in low for w in _ONCE_WORDS)
        )

    def refused_now(self) -> Prompt:
        """The same question after a wrong answer."""
        return replace(self, refused=True)


@dataclass(slots=True)
class _Waiting:
    request: SecretRequest
    prompt: Prompt
    tried: float


class Secrets:
    """Implements core.ports.SecretStore; nothing is written anywhere but to the keyring, if asked to."""

    def __init__(
        self,
        files: KeyFiles | None = None,
        *,
        keyring: Keyring | None = None,
        on_queue: Callable[[SecretRequest], None] | None = None,
    ) -> None:
        self.files = files or KeyFiles()
        self._keyring = keyring
        self._on_queue = on_queue
        self._known: dict[_Key, SecretStr] = {}
        self._bad: set[_Key] = set()  # the keyring's answer was wrong
        self._queue: dict[_Key, _Waiting] = {}
        self._at: dict[str, set[_Key]] = {}  # the questions of each place, so that a thousand hosts ask cheaply

    # for the person

    def pending(self) -> tuple[SecretRequest, ...]:
        """The questions that wait, oldest first."""
        return tuple(waiting.request for waiting in self._queue.values())

    @property
    def can_keep(self) -> bool:
        """Whether there is a keyring to keep an answer in."""
        return self._keyring is not None

    async def answer(self, request: SecretRequest, secret: SecretStr, *, keep: bool = False) -> tuple[str, ...]:
        """Take the answer and return the hosts to connect anew; ``keep`` writes it into the keyring.

        Raises ResourceNotFoundError where it does not wait any more, ValidationError for a passphrase that does not
        open its key, ConfigurationError where the keyring refuses.
        """
        keys = self._keys_of(request)
        if not keys:
            raise ResourceNotFoundError(f"nothing of {request.place} waits for an answer any more")
        key, waiting = keys[0], self._queue[keys[0]]
        if not secret.get_secret_value():
            raise ValidationError("nothing was typed")
        if request.kind == "passphrase" and not await self._unlock(request.place, secret):
            raise ValidationError(f"the passphrase does not open {request.place}: type it again")
        if keep and waiting.prompt.lasting and self._keyring is not None:
            await self._keyring.put(key, secret)
        self._known[key] = secret
        self._bad.discard(key)
        self._drop(key)
        return waiting.request.hosts

    def dismiss(self, request: SecretRequest) -> None:
        """Take a question off the list; it comes again when the host is tried again."""
        for key in self._keys_of(request):
            self._drop(key)

    def _keys_of(self, request: SecretRequest) -> list[_Key]:
        return [key for key in self._at.get(request.place, ()) if self._queue[key].request.same_as(request)]

    def _drop(self, key: _Key) -> None:
        if self._queue.pop(key, None) is not None:
            self._at[key[1]].discard(key)
            if not self._at[key[1]]:
                del self._at[key[1]]

    # for the SSH side

    async def find(self, prompt: Prompt) -> SecretStr | None:
        """The answer to a question, None where only a person has it; a code that is good once is gone then."""
        secret = self._known.get(prompt.key)
        if secret is None and prompt.lasting and self._keyring is not None and prompt.key not in self._bad:
            secret = await self._keyring.get(prompt.key)
            if secret is not None:
                self._known[prompt.key] = secret
        if not prompt.lasting:
            self._known.pop(prompt.key, None)
        return secret

    async def unlock_from_keyring(self, path: Path) -> bool:
        """Open a locked key with what the keyring holds; False where it holds nothing that does."""
        prompt = _passphrase(path)
        if self._keyring is None or prompt.key in self._bad:
            return False
        secret = await self._keyring.get(prompt.key)
        opened = secret is not None and await self._unlock(str(path), secret)
        if not opened:
            self._bad.add(prompt.key)
        return opened

    async def _unlock(self, path: str, secret: SecretStr) -> bool:
        try:
            return await asyncio.to_thread(self.files.unlock, Path(path), secret)
        except (OSError, ValueError) as exc:
            raise ValidationError(f"{path}: {exc}") from None

    def forget(self, prompt: Prompt) -> None:
        """An answer was refused."""
        self._known.pop(prompt.key, None)
        self._bad.add(prompt.key)

    def waiting(self, hostname: str, place: str) -> SSHAuthenticationError | None:
        """The error for a place that asked and still waits for its answer; None where it may be tried."""
        for waiting in [self._queue[key] for key in self._at.get(place, ())]:
            if monotonic() - waiting.tried < _TRIED_AGAIN_S:
                self._note_host(waiting, hostname)
                return _error(hostname, waiting.request)
        return None

    def ask(self, hostname: str, prompts: list[Prompt], locked: tuple[Path, ...] = ()) -> SSHAuthenticationError:
        """Queue questions for a person; return the error that says so."""
        questions = [*(_passphrase(path) for path in locked), *prompts]
        requests = [self._put(hostname, prompt) for prompt in questions]
        return _error(hostname, next((r for r in requests if r.refused), requests[0]))

    def _put(self, hostname: str, prompt: Prompt) -> SecretRequest:
        waiting = self._queue.get(prompt.key)
        if waiting is not None:
            waiting.tried = monotonic()
            self._note_host(waiting, hostname)
            return waiting.request
        request = SecretRequest(
            kind=prompt.kind,
            place=prompt.place,
            text=clean_text(prompt.text) or "Password:",
            instruction=clean_text(prompt.instruction),
            echo=prompt.echo,
            lasting=prompt.lasting,
            refused=prompt.refused,
            hosts=(hostname,),
            at=datetime.now(UTC),
        )
        if len(self._queue) < _MOST:
            self._queue[prompt.key] = _Waiting(request, prompt, monotonic())
            self._at.setdefault(prompt.place, set()).add(prompt.key)
            if self._on_queue is not None:
                self._on_queue(request)
        return request

    @staticmethod
    def _note_host(waiting: _Waiting, hostname: str) -> None:
        if hostname not in waiting.request.hosts:
            waiting.request = replace(waiting.request, hosts=(*waiting.request.hosts, hostname))


def _passphrase(path: Path) -> Prompt:
    return Prompt("passphrase", str(path), "Passphrase:")


def clean_text(text: str) -> str:
    """What a server asks, as one short line without control or formatting characters."""
    words = " ".join(text.split())
    return "".join(sign for sign in words if not unicodedata.category(sign).startswith("C"))[:_TEXT]


def _error(hostname: str, request: SecretRequest) -> SSHAuthenticationError:
    what = {
        "passphrase": f"login: the passphrase of {request.place} is asked for",
        "password": f"login: a password is asked for by {request.place}",
        "answer": f"login: {request.place} asks for {request.text.rstrip(': ')!r}",
    }[request.kind]
    if request.refused:
        what += "; the last answer was refused"
    agent = ", or ssh-add it" if request.kind == "passphrase" else ""
    return SSHAuthenticationError(
        f"{what}; answer it with L in the console, or with `jumpwatch hosts check {hostname}`{agent}",
        hostname=hostname,
        operation="login",
        details={"kind": Reason.LOGIN.value, "asks": request.kind, "place": request.place},
    )
