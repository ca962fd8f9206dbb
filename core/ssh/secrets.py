"""Passwords, passphrases and answers: asked once of a person, kept in memory, in the keyring where it is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from pydantic import SecretStr

from core.exceptions import ResourceNotFoundError, SSHAuthenticationError, ValidationError
from core.models import SecretRequest
from core.ssh.identities import KeyFiles
from core.ssh.keyring import Keyring
from core.ssh.prompts import Key, Prompt, clean_text, login_error, no_use, passphrase

_TRIED_AGAIN_S = 600.0  # a place that waits for an answer is left alone for so long: each try counts as a failed login
_MOST = 2000  # requests that wait at once
_CODE_S = 300.0  # a code that no login took is not kept for a later one


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
        self._known: dict[Key, SecretStr] = {}
        self._codes: dict[Key, tuple[Prompt, SecretStr, float]] = {}  # good once, and not for long
        self._bad: set[Key] = set()  # the keyring's answer was wrong
        self._queue: dict[Key, _Waiting] = {}
        self._at: dict[str, set[Key]] = {}  # the questions of each place, so that a thousand hosts ask cheaply

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
        if waiting.prompt.lasting:
            self._known[key] = secret
        else:
            self._codes[key] = (waiting.prompt, secret, monotonic())
        self._bad.discard(key)
        self._drop(key)
        return waiting.request.hosts

    def dismiss(self, request: SecretRequest) -> None:
        """Take a question off the list; it comes again when the host is tried again."""
        for key in self._keys_of(request):
            self._drop(key)

    def _keys_of(self, request: SecretRequest) -> list[Key]:
        return [key for key in self._at.get(request.place, ()) if self._queue[key].request.same_as(request)]

    def _drop(self, key: Key) -> None:
        if self._queue.pop(key, None) is not None:
            self._at[key[1]].discard(key)
            if not self._at[key[1]]:
                del self._at[key[1]]

    # for the SSH side

    async def has(self, prompt: Prompt) -> bool:
        """Whether the answer to a question is known; False where only a person has it."""
        if not prompt.lasting:
            return self._code(prompt) is not None
        if prompt.key not in self._known and self._keyring is not None and prompt.key not in self._bad:
            secret = await self._keyring.get(prompt.key)
            if secret is not None:
                self._known[prompt.key] = secret
        return prompt.key in self._known

    def take(self, prompt: Prompt) -> SecretStr | None:
        """The answer, if it is still there; a code that is good once is gone then."""
        if prompt.lasting:
            return self._known.get(prompt.key)
        code = self._code(prompt)
        self._codes.pop(prompt.key, None)
        return code

    def _code(self, prompt: Prompt) -> SecretStr | None:
        for key, (_, _, given) in list(self._codes.items()):
            if monotonic() - given > _CODE_S:
                del self._codes[key]
        return self._codes[prompt.key][1] if prompt.key in self._codes else None

    def logged_in(self, place: str, began: float) -> None:
        """A login came through: codes that were typed before it and not asked for are forgotten."""
        for key, (prompt, _, given) in list(self._codes.items()):
            if prompt.place == place and given <= began:
                del self._codes[key]

    async def unlock_from_keyring(self, path: Path) -> bool:
        """Open a locked key with what the keyring holds; False where it holds nothing that does."""
        prompt = passphrase(path)
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
        self._codes.pop(prompt.key, None)
        if prompt.lasting:
            self._bad.add(prompt.key)

    def waiting(self, hostname: str, place: str) -> SSHAuthenticationError | None:
        """The error for a place that asked and still waits for its answer; None where it may be tried."""
        for waiting in [self._queue[key] for key in self._at.get(place, ())]:
            if monotonic() - waiting.tried < _TRIED_AGAIN_S:
                self._note_host(waiting, hostname)
                return login_error(hostname, waiting.request)
        return None

    def ask(self, hostname: str, prompts: list[Prompt], locked: tuple[Path, ...] = ()) -> SSHAuthenticationError:
        """Queue questions for a person; return the error that says so."""
        questions = [*(passphrase(path) for path in locked), *prompts]
        if self._changing(prompts):
            return no_use(hostname, prompts[0].place)
        requests = [self._put(hostname, prompt) for prompt in questions]
        return login_error(hostname, next((r for r in requests if r.refused), requests[0]))

    def _changing(self, prompts: list[Prompt]) -> bool:
        """Whether a host asks anew in other words than it was just answered; such questions wait for nobody."""
        ours = {prompt.key for prompt in prompts}
        patterns = {(prompt.place, prompt.pattern) for prompt in prompts if not prompt.lasting}

        def outdated(key: Key, prompt: Prompt) -> bool:
            return key not in ours and not prompt.lasting and (prompt.place, prompt.pattern) in patterns

        for key in [key for key, waiting in self._queue.items() if outdated(key, waiting.prompt)] if patterns else []:
            self._drop(key)
        answered = [key for key, (prompt, _, _) in self._codes.items() if outdated(key, prompt)]
        for key in answered:
            del self._codes[key]
        return bool(answered)

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
            turn=prompt.turn,
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
