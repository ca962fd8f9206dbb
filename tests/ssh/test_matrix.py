"""Every line of the matrix is a test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.parts import need
from tests.ssh.matrix import CASES, SHELLS, one
from tests.ssh.sshd import need_sshd


@pytest.mark.parametrize("name", CASES)
async def test_matrix(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_sshd()
    for shell in SHELLS:
        program = shell.split()[0]
        if f"login shell {shell}:" in name:
            need(program, shutil.which(program) is not None, f"install {program}")
    need("ssh-agent", shutil.which("ssh-agent") is not None, "install openssh-client")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert await one(name, tmp_path)
