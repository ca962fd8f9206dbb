"""Many first contacts at once, and logins that ask: seen, marked, answered by keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from console.screens.hostkeys import HostKeyScreen, KeyList
from console.screens.secrets import SecretScreen, request_lines
from core.models import HostKeyReview, SecretRequest
from tests.console import driving
from tests.console.driving import running, screen_text, type_text
from tests.console.fake_services import FakeServices
from tests.console.test_findings import PLAIN


async def until(pilot: Pilot[Any], met: Callable[[], bool]) -> None:
    """Wait as long as a loaded machine needs."""
    await driving.until(pilot, met, 60)


def many(count: int) -> tuple[HostKeyReview, ...]:
    """Keys of so many hosts; the last one is a changed key, the first two show the same one."""
    rows = []
    for n in range(count):
        changed = n == count - 1
        key, old = f"ssh-ed25519 AAAA{max(n, 1):04d}", ("SHA256:old",) if changed else ()
        place = f"10.0.{n // 100}.{n % 100}"
        rows.append(
            HostKeyReview(f"node-{n:03d}", place, 22, "ssh-ed25519", f"SHA256:{n:043d}", key, changed, old, "known")
        )
    return tuple(rows)


async def test_two_hundred_keys_are_marked_and_accepted_at_once() -> None:
    services = FakeServices(moving=False)
    services.reviews = many(200)
    async with running(services, size=(100, 30)) as (app, pilot, _):
        await until(pilot, lambda: "199 new host keys  h review" in screen_text(app))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen))
        await pilot.pause()
        keys = app.screen.query_one(KeyList)
        text = screen_text(app)
        assert "Host keys to review: 200" in text and f"SHA256:{0:043d}" in text
        assert "the same key as node-001" in text
        await pilot.press("G", "space")  # the changed one takes no mark
        await pilot.pause()
        assert not keys.marked and f"SHA256:{199:043d}" in screen_text(app)
        await pilot.press("g", "space", "space", "space")
        await pilot.pause()
        assert len(keys.marked) == 3 and "3 marked" in screen_text(app)
        await pilot.press("A")
        await type_text(pilot, "yes")
        await pilot.press("enter")
        await until(pilot, lambda: len(services.accepted) == 3)
        await pilot.press("m", "space")  # all new ones, but this one
        await pilot.pause()
        assert len(keys.marked) == 195 and "197" in screen_text(app)
        await pilot.press("A")
        await until(pilot, lambda: "accept 195 keys" in screen_text(app))
        await type_text(pilot, "yes")
        await pilot.press("enter")
        await until(pilot, lambda: len(services.accepted) == 198)
        assert not any(review.changed for review in services.accepted) and not keys.marked
        assert [review.host for review in services.reviews] == ["node-003", "node-199"]


def questions() -> tuple[SecretRequest, ...]:
    return (
        SecretRequest("passphrase", "/home/ann/.ssh/id_ed25519", "Passphrase:", hosts=("web-01", "web-02")),
        SecretRequest("password", "ann@gate", "Password:", hosts=("db-01",)),
        SecretRequest("password", "ann@store", "Password:", hosts=("store",), refused=True),
        SecretRequest("answer", "ann@bank", "Verification code:", "Use your key", True, False, hosts=("bank",)),
    )


async def test_questions_are_answered_unseen() -> None:
    services = FakeServices(moving=False)
    services.secrets = questions()
    async with running(services, size=(100, 30)) as (app, pilot, _):
        await until(pilot, lambda: "4 logins ask" in screen_text(app))
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, SecretScreen))
        await pilot.pause()
        text = screen_text(app)
        assert "/home/ann/.ssh/id_ed25519" in text and "web-01, web-02" in text and "refused before" in text
        await pilot.press("a")
        await type_text(pilot, "wrong")
        assert "wrong" not in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "does not open it" in screen_text(app))
        await pilot.press("enter")
        await type_text(pilot, "hush")
        await pilot.press("enter")
        await until(pilot, lambda: len(services.answered) == 1)
        assert services.answered[0][1:] == ("hush", False) and app.screen.query_one(Input).value == ""
        await pilot.press("s")
        await until(pilot, lambda: "JUMPWATCH_SSH_KEYRING" in screen_text(app))
        services.can_keep_secrets = True
        await pilot.press("g", "s", "A")  # the same user's password, in both places
        await type_text(pilot, "both")
        await pilot.press("enter")
        await until(pilot, lambda: len(services.answered) == 3)
        assert [(each[0].place, each[1], each[2]) for each in services.answered[1:]] == [
            ("ann@gate", "both", True), ("ann@store", "both", True),
        ]  # fmt: skip
        assert "Good once" in screen_text(app)
        await pilot.press("A")
        await until(pilot, lambda: "good for one place alone" in screen_text(app))
        await pilot.press("a")
        await type_text(pilot, "123456")
        await until(pilot, lambda: "123456" in screen_text(app))  # the host says that it may be shown
        await pilot.press("escape", "x")
        await until(pilot, lambda: not services.secrets)
        await pilot.press("escape")
        assert app.screen is app.main and len(services.answered) == 3


def test_a_second_question_in_the_same_words_says_so() -> None:
    request = SecretRequest("answer", "ann@bank", "Password:", lasting=False, turn=2)
    assert request.same_as(replace(request, hosts=("a",))) and not request.same_as(replace(request, turn=1))
    lines = request_lines(request, 78, PLAIN, keep=True)
    text = " ".join(line.plain for line in lines)
    assert "a second time in one login" in text and "Good once" in text
