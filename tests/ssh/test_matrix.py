"""Every line of the matrix is tested; the login shells a few at once."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.parts import need
from tests.ssh.matrix import CASES, SHELLS, one
from tests.ssh.sshd import need_sshd

SHELL_CASES = [name for name in CASES if name.startswith("login shell")]


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    need_sshd()
    need("ssh-agent", shutil.which("ssh-agent") is not None, "install openssh-client")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.mark.parametrize("name", [name for name in CASES if name not in SHELL_CASES])
async def test_matrix(name: str, tmp_path: Path) -> None:
    assert await one(name, tmp_path)


async def test_login_shells(tmp_path: Path) -> None:
    for shell in SHELLS:
        need(shell, shutil.which(shell.split()[0]) is not None, f"install {shell.split()[0]}")

    few = asyncio.Semaphore(4)  # each has a deadline of its own

    async def run(name: str) -> str:
        folder = tmp_path / name.replace(" ", "-").replace(":", "")
        folder.mkdir()
        try:
            async with few:
                return await one(name, folder)
        except Exception as exc:
            exc.add_note(name)
            raise

    assert all(await asyncio.gather(*(run(name) for name in SHELL_CASES)))
