"""A key that may run the loop and nothing else: what `hosts probe` prints, installed under a real sshd."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from console.cli import main
from core.exceptions import SSHCommandError
from core.models import Reason
from core.ssh.error_mapping import reason_of
from tests.ssh.conftest import MakeFactory
from tests.ssh.following import samples_of
from tests.ssh.sshd import RealSshd


def install(sshd: RealSshd, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Do what the command says, as it says it."""
    path = folder / "jumpwatch-loop"
    assert main(["hosts", "probe", "--path", str(path)]) == 0
    path.write_text(capsys.readouterr().out)
    path.chmod(0o755)
    assert main(["hosts", "probe", "--path", str(path), "--key", str(sshd.login_key), "--line"]) == 0
    sshd.authorized_keys.write_text(capsys.readouterr().out)
    return path


async def test_the_printed_loop_works_and_nothing_else_does(
    sshd: RealSshd, make_factory: MakeFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(sshd, tmp_path, capsys)
    samples = await samples_of(make_factory(), sshd.host(), 2)
    assert samples[1].system.cpu_pct is not None and samples[0].filesystems
    session = await make_factory().connect(sshd.host())
    try:
        for argv in (["id"], ["sh", "-c", "id"], ["true", "jumpwatch-loop 1 NONCE=;id"]):
            result = await session.run(argv)
            assert result.exit_code == 126 and "uid=" not in result.stdout
    finally:
        await session.close()
    refused = subprocess.run(
        ["ssh", "-F", "none", "-i", str(sshd.login_key), "-p", str(sshd.port), "-o", "StrictHostKeyChecking=yes",
         "-o", f"UserKnownHostsFile={sshd.known_hosts}", "-o", "BatchMode=yes", "127.0.0.1", "id"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 126 and "only run the Jumpwatch loop" in refused.stderr


async def test_a_loop_that_is_not_installed_is_told(
    sshd: RealSshd, make_factory: MakeFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(sshd, tmp_path, capsys).unlink()
    with pytest.raises(SSHCommandError) as caught:
        await samples_of(make_factory(), sshd.host())
    assert reason_of(caught.value) is Reason.SHELL and "jumpwatch-loop" in caught.value.message


def test_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosts", "probe", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["script"].startswith("#!/bin/sh\n") and shown["path"] == "/usr/local/bin/jumpwatch-loop"
    assert shown["authorized_keys"] == 'restrict,command="/usr/local/bin/jumpwatch-loop" PUBLIC-KEY'
    for words in (["--path", "relative"], ["--path", '/a"b'], ["--path", "/a/../b"], ["--key", str(tmp_path / "none")]):
        assert main(["hosts", "probe", *words]) == 2
    (tmp_path / "x.pub").write_text('ssh-ed25519 AAAA\n" command="evil')
    assert main(["hosts", "probe", "--key", str(tmp_path / "x.pub")]) == 2
    capsys.readouterr()
