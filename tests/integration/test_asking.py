"""The whole program against hosts that ask: a password, a code behind it, and the passphrase of a key."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest
from textual.widgets import Input

from core.inventory import Inventory
from core.models import FleetView, Host, HostState, Reason
from tests.integration.conftest import console
from tests.ssh.asking import Asker, asking
from tests.ssh.sshd import RealSshd, make_key


def state(view: FleetView, name: str) -> tuple[HostState, Reason]:
    return next((h.state, h.reason) for h in view.hosts if h.host.name == name)


def up(view: FleetView, name: str) -> bool:
    return state(view, name)[0] in (HostState.ONLINE, HostState.DEGRADED)


async def test_logins_that_ask_are_answered_by_keys(
    home: Path, sshd: RealSshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("JUMPWATCH_POLLING_INTERVAL_S", "1")
    with socket.socket() as free:  # polling goes on without a database
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("JUMPWATCH_DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free.getsockname()[1]}/none")
    make_key(sshd.login_key, "ecdsa")
    words = ["-p", "-P", "", "-N", "open sesame", "-m", "PKCS8", "-f", str(sshd.login_key)]
    subprocess.run(["ssh-keygen", "-q", *words], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    sshd.authorize()
    rounds = [([("Password: ", False)], ["tr0ub4dor"]), ([("Code: ", True)], ["314"])]
    async with asking(Asker(rounds=rounds)) as server:
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh" / "known_hosts").write_text(
            f"[127.0.0.1]:{sshd.port} {sshd.public_key()}\n[127.0.0.1]:{server.port} {server.public_key}\n"
        )
        with Inventory.edit(home / ".config" / "jumpwatch" / "hosts.toml") as hosts:
            hosts.add(Host("locked", "127.0.0.1", sshd.port, sshd.user, identity_files=(str(sshd.login_key),)))
            hosts.add(Host("asks", "127.0.0.1", server.port, "ann"))
            hosts.save()
        async with console(size=(120, 36)) as walk:
            await walk.until(lambda v: len(v.secrets) == 2, 90)
            waiting = {(HostState.OFFLINE, Reason.LOGIN)}
            await walk.until(lambda v: {state(v, name) for name in ("locked", "asks")} == waiting, 90)
            await walk.shown("2 logins ask", 60)
            await walk.pilot.press("L")
            for question, answer in (("Passphrase", "open sesame"), ("Password", "tr0ub4dor"), ("Code", "314")):
                await walk.until(lambda v, q=question: any(q in each.text for each in v.secrets), 90)
                await walk.shown(question, 60)
                place = [question in each.text for each in walk.view.secrets].index(True)
                await walk.pilot.press("g", *("j" * place), "a")
                await walk.until(lambda _: isinstance(walk.app.focused, Input), 60)
                for sign in answer:
                    await walk.pilot.press("space" if sign == " " else sign)
                assert answer == "314" or answer not in walk.screen()
                await walk.pilot.press("enter")
            await walk.until(lambda v: up(v, "locked") and up(v, "asks"), 90)
            await walk.until(lambda v: not v.secrets, 90)  # what waits is brought into the view four times a second
            await walk.pilot.press("escape")
    assert server.seen == ["tr0ub4dor", "tr0ub4dor", "314"]
    for path in home.rglob("*"):  # nothing that was typed is written anywhere
        if path.is_file():
            text = path.read_bytes()
            assert b"open sesame" not in text and b"tr0ub4dor" not in text, path
