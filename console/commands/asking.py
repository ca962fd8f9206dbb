"""Questions of logins, asked on the terminal: nothing typed is shown, kept on disk or put into a history."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from console.commands.output import say
from console.commands.setup import run
from console.formatting import clean
from core.exceptions import ValidationError

if TYPE_CHECKING:
    from core.models import SecretRequest
    from core.ports import SecretStore

_TRIES = 3


def answer_all(secrets: SecretStore) -> set[str]:
    """Ask for everything that waits; return the hosts to try anew. An empty answer leaves a question open."""
    again: set[str] = set()
    for request in secrets.pending():
        again |= _answer(secrets, request)
    return again


def _answer(secrets: SecretStore, request: SecretRequest) -> set[str]:
    if request.refused:
        say(f"{clean(request.place)}: the last answer was refused")
    if request.turn > 1:
        say(f"{clean(request.place)} asks in the same words a second time: for a code, or another password")
    if request.instruction:
        say(f"{clean(request.place)} says: {clean(request.instruction)}")
    for _ in range(_TRIES):
        typed = _read(request)
        if not typed:
            break
        try:
            return set(run(secrets.answer(request, SecretStr(typed))))
        except ValidationError as error:
            say(clean(error.message))
    secrets.dismiss(request)
    return set()


def _read(request: SecretRequest) -> str:
    prompt = f"{clean(request.place)}: {clean(request.text).rstrip()} "
    try:
        return input(prompt) if request.echo else getpass.getpass(prompt)
    except EOFError:
        return ""
