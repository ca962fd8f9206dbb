"""What a login asks: one question, what tells it from others, and the error that says it waits for its answer."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from core.exceptions import SSHAuthenticationError
from core.models import Reason, SecretRequest

Key = tuple[str, str, str]
Kind = Literal["passphrase", "password", "answer"]
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
    turn: int = 1  # a login may ask in the same words twice, and mean a code the second time

    @property
    def question(self) -> Key:
        """What tells it from others by its words; a password is the same one however it is asked for."""
        return ("password", self.place, "") if self._worded_lasting else (self.kind, self.place, self.text)

    @property
    def key(self) -> Key:
        """What tells it from others, those in the same words too."""
        return self.question if self.turn == 1 else ("answer", self.place, f"{self.text}\0{self.turn}")

    @property
    def lasting(self) -> bool:
        """Whether the answer is good more than once; never the second one to the same words, it may be a code."""
        return self.turn == 1 and self._worded_lasting

    @property
    def _worded_lasting(self) -> bool:
        low = self.text.lower()
        return self.kind != "answer" or (
            not self.echo and any(w in low for w in _KEPT_WORDS) and not any(w in low for w in _ONCE_WORDS)
        )

    def refused_now(self) -> Prompt:
        """The same question after a wrong answer."""
        return replace(self, refused=True)

    @property
    def pattern(self) -> str:
        """Its words without what looks like a number: a challenge differs from login to login there."""
        return re.sub(r"\S*\d\S*", "#", self.text)


def passphrase(path: Path) -> Prompt:
    """The question for what opens a key."""
    return Prompt("passphrase", str(path), "Passphrase:")


def clean_text(text: str) -> str:
    """What a server asks, as one short line without control or formatting characters."""
    words = " ".join(text.split())
    return "".join(sign for sign in words if not unicodedata.category(sign).startswith("C"))[:_TEXT]


def login_error(hostname: str, request: SecretRequest) -> SSHAuthenticationError:
    """The error of a login that waits for an answer."""
    what = {
        "passphrase": f"login: the passphrase of {request.place} is asked for",
        "password": f"login: a password is asked for by {request.place}",
        "answer": f"login: {request.place} asks for {request.text.rstrip(': ')!r}",
    }[request.kind]
    if request.turn > 1:
        what += f" once more in the same login (question {request.turn} in these words)"
    if request.refused:
        what += "; the last answer was refused"
    agent = ", or ssh-add it" if request.kind == "passphrase" else ""
    return SSHAuthenticationError(
        f"{what}; answer it with L in the console, or with `jumpwatch hosts check {hostname}`{agent}",
        hostname=hostname,
        operation="login",
        details={"kind": Reason.LOGIN.value, "asks": request.kind, "place": request.place},
    )


def no_use(hostname: str, place: str) -> SSHAuthenticationError:
    """The error of a login whose question cannot wait for a person."""
    return SSHAuthenticationError(
        f"login: {place} asks another question at each login, so an answer given afterwards comes too late; "
        f"log in with a key, or keep a connection open that a ProxyCommand uses",
        hostname=hostname,
        operation="login",
        details={"kind": Reason.LOGIN.value, "place": place},
    )
