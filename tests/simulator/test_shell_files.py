"""The demo hosts' shell and files over real SSH: small, harmless, and nothing of this machine behind them."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess
from pathlib import Path

import asyncssh
import pytest

from core.config import SSHSettings
from core.models import Host
from core.simulator import files as demo_files
from core.simulator.files import HOME, DemoFiles, DemoSftp
from core.ssh.shell import shell_argv
from tests.hostwork.bench import Bench
from tests.simulator.client import connect


async def typed(host: Host, keys: bytes, *, terminal: bool = True, end: bool = False) -> tuple[str, int | None]:
    """Type into the shell of a host; return what it showed, and its exit code."""
    async with await connect(host) as connection:
        process: asyncssh.SSHClientProcess[bytes] = await connection.create_process(
            term_type="xterm" if terminal else None, encoding=None
        )
        process.stdin.write(keys)
        if end:
            process.stdin.write_eof()
        done = await asyncio.wait_for(process.wait(), 10)
        assert isinstance(done.stdout, bytes) and isinstance(done.stderr, bytes)
        return (done.stdout + done.stderr).decode(), done.exit_status


async def test_a_terminal_gets_a_prompt_answers_and_an_end(fleet: list[Host], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for host in (fleet[0], fleet[2]):  # this machine, and one that is played
        shown, code = await typed(host, f"hostname\r\ntouch {mark}\rcat /etc/passwd\r\rexit 3\r".encode())
        prompt = f"demo@{host.name}:~$ "
        assert code == 3 and "uptime, date, who" in shown
        assert f"{prompt}hostname\r\n{host.name}\r\n{prompt}" in shown
        assert shown.count("demo host: not here\r\n") == 2 and "root:" not in shown
        assert "\n" not in shown.replace("\r\n", "")
    assert not mark.exists()


async def test_the_line_can_be_edited_and_given_up(fleet: list[Host]) -> None:
    shown, code = await typed(
        fleet[2], b"hostnaX\x7fme\x1b[A\x1bOC\x1b[1;5D\rrubbish\x15whoami\rrm -rf /\x03date\r\x04"
    )
    assert code == 0 and "\b \b" in shown and "^C" in shown and shown.endswith("logout\r\n")
    assert f"\r\n{fleet[2].name}\r\n" in shown and "\r\ndemo\r\n" in shown and " UTC 20" in shown
    assert "not here" not in shown
    shown, code = await typed(fleet[2], b"x" * 5000 + b"\rno-such-thing\r\x04")
    assert code == 127 and shown.count("not here") == 2


async def test_a_pipe_gets_answers_alone(fleet: list[Host]) -> None:
    assert await typed(fleet[2], b"hostname\nwhoami", terminal=False, end=True) == (f"{fleet[2].name}\ndemo\n", 0)
    assert await typed(fleet[2], b"id; reboot\nlogout\nhostname\n", terminal=False) == ("demo host: not here\n", 127)


async def test_a_shell_that_is_not_read_is_not_answered(fleet: list[Host]) -> None:
    async with await connect(fleet[0]) as connection:
        process: asyncssh.SSHClientProcess[bytes] = await connection.create_process(encoding=None, window=4096)
        process.stdin.write(b"cat /proc/stat\n" * 20_000)
        await asyncio.sleep(0.5)
        assert (await asyncio.wait_for(connection.run("hostname"), 5)).exit_status == 0


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the OpenSSH client")
async def test_the_console_s_own_ssh_reaches_it(fleet: list[Host], tmp_path: Path) -> None:
    argv = [*shell_argv(fleet[2], SSHSettings(config_file=tmp_path / "none"))]
    argv[1:1] = ["-tt", "-o", "BatchMode=yes"]
    done = await asyncio.to_thread(
        subprocess.run, argv, input=b"uptime\rexit 7\r", capture_output=True, timeout=20, check=False
    )
    assert done.returncode == 7 and b"load average" in done.stdout, done


async def test_files_are_copied_there_and_back_as_the_console_does(bench: Bench, tmp_path: Path) -> None:
    here, back = tmp_path / "here.bin", tmp_path / "back"
    here.write_bytes(bytes(range(256)) * 8000)
    back.mkdir()
    plan = await bench.plan("file.send", "web-01", local=str(here), remote=HOME)
    assert plan.refused == "" and plan.targets[0].note == f"web-01:{HOME}/here.bin, new"
    assert (await bench.apply(plan)).ok
    outcome = await bench.apply(await bench.plan("file.fetch", "web-01", local=str(back), remote=f"{HOME}/here.bin"))
    assert outcome.ok and (back / "here.bin").read_bytes() == here.read_bytes()
    here.write_bytes(b"shorter")
    plan = await bench.plan("file.send", "web-01", local=str(here), remote=f"{HOME}/here.bin")
    assert plan.destructive and plan.confirm == "here.bin"
    assert (await bench.apply(plan)).ok
    target = tmp_path / "release"
    outcome = await bench.apply(await bench.plan("file.fetch", "web-01", local=str(target), remote="/etc/os-release"))
    assert outcome.ok and "Debian" in target.read_text()
    plan = await bench.plan("file.send", "web-01", local=str(here), remote="/etc/motd")
    outcome = await bench.apply(plan)
    assert not outcome.ok and "Permission denied" in outcome.summary
    here.write_bytes(bytes((4 << 20) + 1))
    outcome = await bench.apply(await bench.plan("file.send", "web-02", local=str(here), remote="/tmp/big"))
    assert not outcome.ok and "4 MiB a file" in outcome.summary


async def test_nothing_of_this_machine_is_there(fleet: list[Host], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    async with await connect(fleet[0]) as connection, connection.start_sftp_client() as client:
        assert await client.realpath(".") == HOME and await client.realpath("../../../..//etc/.") == "/etc"
        for path in (str(secret), "/proc/self/environ", "/root/.ssh", f"..{'/..' * 9}{secret}", "//etc/passwd"):
            assert not await client.exists(path), path
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await client.open(path, "rb")
        for path in (str(tmp_path / "new"), "/etc/new", "/tmp", "/tmp/..", f"/tmp/../..{tmp_path}/new"):
            with pytest.raises(asyncssh.SFTPError):
                await client.open(path, "wb")
        with pytest.raises(asyncssh.SFTPError):
            await client.symlink(str(secret), f"{HOME}/link")
        with pytest.raises(asyncssh.SFTPError):
            await client.link(str(secret), f"{HOME}/link")
        with pytest.raises(asyncssh.SFTPError):
            await client.statvfs("/")
        assert sorted(await client.listdir("/")) == [".", "..", "etc", "home", "tmp", "var"]
        await client.mkdir("/tmp/a")
        async with client.open("/tmp/a/b", "w") as file:
            await file.write("text")
        with pytest.raises(asyncssh.SFTPError):
            await client.rmdir("/tmp/a")
        assert [str(each.longname).split()[2:4] for each in await client.readdir("/tmp/a") if each.filename == "b"] == [
            ["demo", "demo"]
        ]
        await client.remove("/tmp/a/b")
        await client.rmdir("/tmp/a")
    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == ["secret"]


async def test_a_host_holds_few_bytes_and_few_names(fleet: list[Host]) -> None:
    async with await connect(fleet[1]) as connection, connection.start_sftp_client() as client:
        with pytest.raises(asyncssh.SFTPError):
            async with client.open("/tmp/far", "wb") as file:
                await file.write(b"x", 1 << 40)
        with pytest.raises(asyncssh.SFTPError):
            await client.truncate("/tmp/far", 5 << 20)
        held = []
        with pytest.raises(asyncssh.SFTPError):
            for number in range(3):  # removed while it is open, a file still counts
                file = await client.open(f"/tmp/{number}", "wb")
                held.append(file)
                await file.write(bytes((4 << 20) - 1))
                await client.remove(f"/tmp/{number}")
        for file in held:
            await file.close()
        with pytest.raises(asyncssh.SFTPError):
            for number in itertools.count():
                async with client.open(f"/tmp/n{number}", "wb"):
                    assert number < 100


def test_no_operation_is_left_to_the_library() -> None:
    """What it does by itself is done to this machine's files."""
    harmless = {"channel", "connection", "env", "logger", "convert_attrs", "format_longname", "lock", "unlock", "exit"}
    public = {name for name in vars(asyncssh.SFTPServer) if not name.startswith("_")}
    assert public - harmless <= vars(DemoSftp).keys()
    source = Path(demo_files.__file__).read_text()
    assert "import os\n" not in source and "Path" not in source and " open(" not in source.replace("def open(", "")


def test_names_stay_below_the_root() -> None:
    for path in (b"../../../../x", b"/../x", b"//x", b"/./x"):
        assert DemoFiles.place(path) == "/x"
    for path in (b"a" * 2000, b"a\0b"):
        with pytest.raises(OSError):
            DemoFiles.place(path)
