"""One login as asyncssh asks for it: keys, then what a person has to type, from what is known by now."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncssh

from core.ssh.identities import Identities, KeyFile, key_pairs
from core.ssh.secrets import Prompt, Secrets


@dataclass(slots=True)
class Login:
    """Answers one connection's questions; ``missing`` are those that only a person can answer."""

    place: str  # USER@HOST, with the port where it is not 22
    identities: Identities
    secrets: Secrets
    asks: bool = True  # False: BatchMode
    password: bool = True
    interactive: bool = True
    missing: list[Prompt] = field(default_factory=list)
    locked: tuple[KeyFile, ...] = ()
    expired: bool = False
    _agent: asyncssh.SSHAgentClient | None = None
    _offered: bool = False
    _used: list[Prompt] = field(default_factory=list)  # answered in this login
    _begun: set[str] = field(default_factory=set)

    async def public_keys(self) -> list[asyncssh.SSHKeyPair] | None:
        """All keys at once when first asked, none from then on."""
        if self._offered:
            return None
        self._offered = True
        if self.identities.agent:
            self._agent = asyncssh.SSHAgentClient(self.identities.agent)
        pairs, self.locked = await key_pairs(self.identities, self._agent)
        return pairs or None

    async def password_wanted(self) -> str | None:
        """The password, None where it is not known or was refused a moment ago."""
        if not self.password or self.missing or self._asked_again("password"):
            return None
        return await self._answer(Prompt("password", self.place, "Password:"))

    async def interactive_wanted(self) -> str | None:
        """Whether to begin with questions: the empty list of methods, or None."""
        return None if not self.interactive or self.missing or self._asked_again("keyboard-interactive") else ""

    async def answers(self, title: str, instruction: str, prompts: Sequence[tuple[str, bool]]) -> list[str] | None:
        """Answer one round of questions, None where one of them has no answer yet."""
        given = []
        for text, echo in prompts:
            answer = await self._answer(Prompt("answer", self.place, text, echo, f"{title} {instruction}".strip()))
            if answer is None:
                return None
            given.append(answer)
        return given

    async def _answer(self, prompt: Prompt) -> str | None:
        if prompt in self._used:  # asked again at once: the answer was wrong
            self._refused()
            return None
        answer = await self.secrets.find(prompt)
        if answer is None:
            if self.asks:
                self.missing.append(prompt)
            return None
        self._used.append(prompt)
        return answer.get_secret_value()

    def _asked_again(self, method: str) -> bool:
        """A method that comes back was refused; another one may be the second half of a login in steps."""
        again = method in self._begun
        self._begun.add(method)
        if again:
            self._refused()
        return again

    def _refused(self) -> None:
        """What was answered is wrong: it is forgotten, and asked for anew."""
        for prompt in self._used:
            self.secrets.forget(prompt)
        if self.asks:
            self.missing += [prompt.refused_now() for prompt in self._used]
        self._used.clear()

    def denied(self) -> None:
        """The server wants no more of it: with nothing left to ask for, what was answered is wrong."""
        if not self.missing:
            self._refused()

    async def close(self) -> None:
        """Let the agent go."""
        if self._agent is not None:
            agent, self._agent = self._agent, None
            agent.close()
            with contextlib.suppress(OSError):
                await agent.wait_closed()
