"""One login as asyncssh asks for it: keys, then what a person has to type, from what is known by now."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import asyncssh

from core.ssh.identities import Identities, KeyFile, key_pairs
from core.ssh.prompts import Prompt
from core.ssh.secrets import Secrets

_WRONG_WORDS = ("incorrect", "invalid", "wrong", "try again", "denied", "falsch")


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
    began: float = field(default_factory=monotonic)
    _used: list[Prompt] = field(default_factory=list)  # answered in this step of the login
    _done: list[Prompt] = field(default_factory=list)  # answered in steps that the server took
    _steps: int = 0
    _fresh: int = 0  # where the present try of a method begins in _used
    _round: list[Prompt] = field(default_factory=list)  # the last questions of that try
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
        given = await self._answer([Prompt("password", self.place, "Password:")])
        return given[0] if given else None

    async def interactive_wanted(self) -> str | None:
        """Whether to begin with questions: the empty list of methods, or None."""
        return None if not self.interactive or self.missing or self._asked_again("keyboard-interactive") else ""

    async def answers(self, title: str, instruction: str, prompts: Sequence[tuple[str, bool]]) -> list[str] | None:
        """Answer one round of questions, None where one of them has no answer yet."""
        said = f"{title} {instruction}".strip()
        return await self._answer([Prompt("answer", self.place, text, echo, said) for text, echo in prompts])

    def step_done(self) -> None:
        """The server took the method and wants another one, or the same once more: that one begins afresh."""
        self._steps += 1
        self._done += self._used
        self._used.clear()
        self._begun.clear()
        self._fresh = 0
        self._round = []

    async def _answer(self, round_: list[Prompt]) -> list[str] | None:
        """The answers to all questions of a round; where one is not known no code is spent on the others."""
        before = [prompt.question for prompt in self._used[: self._fresh]]
        if any(prompt.question in before for prompt in round_):  # by another method: the answer was wrong
            self._refused(self._used)
            return None
        if self._round and any(_says_wrong(prompt) for prompt in round_):
            self._refused(self._round)
            return None
        round_ = self._numbered(round_)
        known = [await self.secrets.has(prompt) for prompt in round_]
        missing = [prompt for prompt, found in zip(round_, known, strict=True) if not found]
        taken = [] if missing else [self.secrets.take(prompt) for prompt in round_]
        missing += [prompt for prompt, secret in zip(round_, taken, strict=False) if secret is None]
        if missing:
            if self.asks:
                self.missing += missing
            return None
        self._used += round_
        self._round = round_
        return [secret.get_secret_value() for secret in taken if secret is not None]

    def _numbered(self, round_: list[Prompt]) -> list[Prompt]:
        """Tell questions in the same words apart: a second one follows an answer that was taken, so it is another."""
        count = Counter(prompt.question for prompt in [*self._done, *self._used])
        numbered = []
        for prompt in round_:
            count[prompt.question] += 1
            numbered.append(replace(prompt, turn=count[prompt.question]))
        return numbered

    def _asked_again(self, method: str) -> bool:
        """A method that comes back was refused; another one may be the second half of a login in steps."""
        again = method in self._begun
        self._begun.add(method)
        self._fresh = len(self._used)
        self._round = []
        if again:
            self._refused(self._used)
        return again

    def _refused(self, wrong: list[Prompt]) -> None:
        """What was answered is wrong: it is forgotten, and asked for anew."""
        for prompt in wrong:
            self.secrets.forget(prompt)
        if self.asks:
            self.missing += [prompt.refused_now() for prompt in wrong]
        self._used = [prompt for prompt in self._used if prompt not in wrong]

    def denied(self) -> list[Prompt]:
        """The server wants no more of it: what to ask a person for before the next try.

        With nothing left to ask for, what was answered is wrong. Codes that were taken are spent: they are asked for
        again together with what is missing, or the next login would stop at each of them in turn.
        """
        if not self.missing:
            self._refused(self._used)
        if not self.missing:
            return []
        wanted = {prompt.key for prompt in self.missing}
        spent = [p for p in [*self._done, *self._used] if not p.lasting and p.key not in wanted]
        return [*spent, *self.missing]

    @property
    def stopped_between(self) -> bool:
        """Whether the server took one step, and there is nothing to offer for the next."""
        return self._steps > 0 and not self.missing

    async def close(self) -> None:
        """Let the agent go."""
        if self._agent is not None:
            agent, self._agent = self._agent, None
            agent.close()
            with contextlib.suppress(OSError):
                await agent.wait_closed()


def _says_wrong(prompt: Prompt) -> bool:
    """Whether a further round is the same one again after a wrong answer, in the host's own words."""
    said = f"{prompt.instruction} {prompt.text}".lower()
    return any(word in said for word in _WRONG_WORDS)
