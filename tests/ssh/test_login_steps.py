"""Logins in steps: methods one after the other, and questions in the same words that are not the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.exceptions import SSHAuthenticationError
from core.models import Host, Reason
from core.ssh import secrets as secrets_module
from core.ssh.error_mapping import reason_of
from core.ssh.prompts import Prompt
from core.ssh.secrets import Secrets
from tests.ssh.asking import Asker, asking, trust
from tests.ssh.sshd import make_key
from tests.ssh.test_secrets import Bench

PASSWORD, CODE = ("Password: ", False), ("Verification code: ", True)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Bench(tmp_path)


def texts(bench: Bench) -> list[tuple[str, int, bool]]:
    """The questions that wait: words, which one in these words, good again."""
    return [(each.text, each.turn, each.lasting) for each in bench.secrets.pending()]


KBDINT = "keyboard-interactive"


async def two_factors(bench: Bench, server: Asker, host: Host, first: str, second: tuple[str, int, bool]) -> None:
    """Ask for the password, then for a code that no later login uses."""
    await bench.asks(host)
    assert texts(bench) == [("Password:", 1, True)]
    await bench.answer(first)
    exc = await bench.asks(host)
    assert texts(bench) == [second]
    assert ("once more" in exc.message) is (second[1] > 1)
    await bench.answer("100")
    await bench.works(host)
    await bench.asks(host)  # the code is spent, the password is not
    assert texts(bench) == [second]
    await bench.answer("101")
    await bench.works(host)
    assert server.seen[-2:] == [first, "101"] and "100" not in server.seen[-2:]
    assert not bench.secrets._codes


@pytest.mark.parametrize("word", [CODE, PASSWORD])
@pytest.mark.parametrize("way", ["password", "twice", "rounds"])
async def test_a_password_then_a_code(bench: Bench, way: str, word: tuple[str, bool]) -> None:
    """By methods in a row and by rounds of one; the code's words may be those of the password."""
    codes = itertools.count(100)
    first, second = ([PASSWORD], ["right"]), ([word], [""])
    server = Asker(codes=lambda: str(next(codes)))
    if way == "password":
        server.password, server.steps, server.rounds = "right", ("password", KBDINT), [second]
    elif way == "twice":
        server.steps, server.step_rounds = (KBDINT, KBDINT), [[first], [second]]
    else:
        server.rounds = [first, second]
    async with asking(server):
        trust(bench.known, server)
        same = word is PASSWORD
        expected = ("Password:", 2, False) if same else ("Verification code:", 1, False)
        await two_factors(bench, server, server.host("h", bench.known), "right", expected)


@pytest.mark.parametrize(
    "prompts", [[("Code: ", False), ("Code: ", False)], [("Code A: ", False), ("Code B: ", False)]]
)
async def test_two_codes_of_one_round_are_asked_together(bench: Bench, prompts: list[tuple[str, bool]]) -> None:
    async with asking(Asker(rounds=[(prompts, ["a", "b"])])) as server:
        trust(bench.known, server)
        host = server.host("h", bench.known)
        await bench.asks(host)
        assert len(texts(bench)) == 2
        await bench.answer("a")
        logins = server.logins
        await bench.asks(host)  # the other one still waits: nothing is spent
        assert server.logins == logins and not server.seen
        await bench.answer("b")
        await bench.works(host)
        assert server.seen == ["a", "b"]


async def test_codes_of_two_steps_are_asked_together_once_the_second_is_known(bench: Bench) -> None:
    rounds = [[([("Code A: ", False)], ["a"])], [([("Code B: ", False)], ["b"])]]
    async with asking(Asker(steps=(KBDINT, KBDINT), step_rounds=rounds)) as server:
        trust(bench.known, server)
        host = server.host("h", bench.known)
        await bench.asks(host)
        await bench.answer("a")
        await bench.asks(host)
        assert [each.text for each in bench.secrets.pending()] == ["Code A:", "Code B:"]
        assert not any(each.refused for each in bench.secrets.pending())
        await bench.answer("a")
        await bench.answer("b")
        await bench.works(host)


async def test_a_key_then_a_question(bench: Bench, tmp_path: Path) -> None:
    key = tmp_path / "key"
    make_key(key, "ed25519")
    async with asking(Asker(steps=("publickey", KBDINT), step_rounds=[[([CODE], ["1"])]])) as server:
        trust(bench.known, server)
        host = server.host("h", bench.known, identity_files=(str(key),))
        await bench.asks(host)
        assert texts(bench) == [("Verification code:", 1, False)]
        await bench.answer("1")
        await bench.works(host)


async def test_a_wrong_second_step_leaves_the_first_as_it_is(bench: Bench) -> None:
    server = Asker(password="right", steps=("password", KBDINT), rounds=[([PASSWORD], ["1"])])
    async with asking(server):
        trust(bench.known, server)
        host = server.host("h", bench.known)
        await bench.asks(host)
        await bench.answer("right")
        await bench.asks(host)
        await bench.answer("bad")
        assert "refused" in (await bench.asks(host)).message
        assert texts(bench) == [("Password:", 2, False)]
        await bench.answer("1")
        await bench.works(host)


@pytest.mark.parametrize("first", ["password,keyboard-interactive", "keyboard-interactive,password"])
async def test_a_refused_password_is_not_tried_by_the_other_method(bench: Bench, first: str) -> None:
    async with asking(Asker(password="right", rounds=[([PASSWORD], ["right"])])) as server:
        trust(bench.known, server)
        bench.config.write_text(
            f"Host h\n  HostName 127.0.0.1\n  Port {server.port}\n  User ann\n  PreferredAuthentications {first}\n"
            f"  UserKnownHostsFile {bench.known}\n"
        )
        await bench.asks(Host("h"))
        await bench.answer("wrong")
        assert "refused" in (await bench.asks(Host("h"))).message
        assert server.seen == ["wrong"] and texts(bench) == [("Password:", 1, True)]
        await bench.answer("right")
        await bench.works(Host("h"))


async def test_a_round_again_after_a_wrong_answer(bench: Bench) -> None:
    """A host that says so in the same try is believed: the answer is forgotten, and no second one asked for."""
    again = [("Password incorrect, try again: ", False)]
    async with asking(Asker(rounds=[([PASSWORD], ["wrong"]), (again, ["x"])])) as server:
        trust(bench.known, server)
        host = server.host("h", bench.known)
        await bench.asks(host)
        await bench.answer("wrong")
        assert "refused" in (await bench.asks(host)).message
        (request,) = bench.secrets.pending()
        assert (request.text, request.refused, request.turn) == ("Password:", True, 1)


async def test_a_step_that_nobody_can_take_says_so(bench: Bench) -> None:
    async with asking(Asker(password="right", steps=("password", "hostbased"))) as server:
        trust(bench.known, server)
        host = server.host("h", bench.known)
        await bench.asks(host)
        await bench.answer("right")
        with pytest.raises(SSHAuthenticationError, match="a first step was taken") as caught:
            await bench.factory.connect(host)
        assert reason_of(caught.value) is Reason.LOGIN and not bench.secrets.pending()


async def test_a_key_that_is_only_the_first_step_says_so(bench: Bench, tmp_path: Path) -> None:
    make_key(tmp_path / "key", "ed25519")
    async with asking(Asker(steps=("publickey", "hostbased"))) as server:
        trust(bench.known, server)
        with pytest.raises(SSHAuthenticationError, match="a first step was taken"):
            await bench.factory.connect(server.host("h", bench.known, identity_files=(str(tmp_path / "key"),)))


async def test_a_challenge_that_changes_with_each_login_says_so(bench: Bench) -> None:
    async with asking(Asker(rounds=[([("Challenge 1001 Response: ", True)], ["x"])])) as server:
        trust(bench.known, server)
        host = server.host("h", bench.known)
        await bench.asks(host)
        server.rounds = [([("Challenge 1002 Response: ", True)], ["x"])]
        await bench.answer("x")
        with pytest.raises(SSHAuthenticationError, match="another question at each login"):
            await bench.factory.connect(host)
        assert not bench.secrets.pending() and not bench.secrets._codes and not server.seen


async def test_a_code_that_no_login_took_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets, code = Secrets(), Prompt("answer", "ann@h", "Code:")
    now = 1000.0
    monkeypatch.setattr(secrets_module, "monotonic", lambda: now)
    secrets.ask("h", [code])
    await secrets.answer(secrets.pending()[0], SecretStr("1"))
    assert await secrets.has(code)
    now += 301
    assert not await secrets.has(code) and secrets.take(code) is None and not secrets._codes
    secrets.ask("h", [code])
    await secrets.answer(secrets.pending()[0], SecretStr("2"))
    secrets.logged_in("ann@h", began=now - 1)  # typed while another login was under way
    assert await secrets.has(code)
    secrets.logged_in("ann@h", began=now)
    assert not await secrets.has(code)
