"""The ways to a host that must work, each against real OpenSSH: `python -m tests.ssh.matrix` prints what passes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from core.collectors.loop import forced_command_script, loop_calls
from core.config import SSHSettings
from core.exceptions import SSHAuthenticationError, SSHHostKeyError
from core.models import Host, Reason
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.pool import AsyncSSHFactory
from core.ssh.secrets import Secrets
from tests.ssh.following import samples_of
from tests.ssh.sshd import RealSshd, descendants, free_port, make_key, need_sshd, processes_with, running

SOURCE = Path(__file__).resolve().parents[2]
PROGRAM = """
import asyncio
from console.composition.services import LiveServices
from core.config import load_settings
async def main():
    services = LiveServices(load_settings)
    seen = set()
    def post(view):
        for h in view.hosts:
            if h.sample and h.host.name not in seen:
                seen.add(h.host.name)
                print("sample", flush=True)
    await services.start(post)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@dataclass(slots=True)
class Kit:
    """What one case works with: a folder of its own, an ssh_config, a known_hosts file, servers that end with it."""

    folder: Path
    servers: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    secrets: Secrets = field(default_factory=Secrets)

    def server(self, name: str, *config: str, **options: object) -> RealSshd:
        """Start a server whose key is known."""
        server = self.servers.enter_context(running(self.folder / name, config=config, **options))
        with self.known_hosts.open("a") as known:
            known.write(server.known_hosts.read_text())
        return server

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def config(self, text: str) -> None:
        """Write the ssh_config; the known_hosts file stands at its end."""
        (self.folder / "ssh_config").write_text(f"{text}\nHost *\n  UserKnownHostsFile {self.known_hosts}\n")

    def factory(self, *, force_sh: bool = False) -> AsyncSSHFactory:
        """Make the factory over this ssh_config."""
        settings = SSHSettings(config_file=self.folder / "ssh_config", connect_timeout_s=10, login_timeout_s=20)
        keys = HostKeyReviews(self.known_hosts)
        loops = loop_calls(1 << 18, force_sh=force_sh)
        return AsyncSSHFactory(settings, keys, loops, secrets=self.secrets, heartbeat_s=2.0)

    async def figures(self, host: Host, *, count: int = 1, force_sh: bool = False) -> str:
        """Follow a stream for so many samples; the second is the first with rates."""
        samples = await samples_of(self.factory(force_sh=force_sh), host, count)
        assert samples[0].system.cpus == os.cpu_count()
        assert count == 1 or samples[-1].system.cpu_pct is not None
        return f"{count} sample{'s' * (count > 1)}, {samples[0].system.cpus} CPUs"


def block(name: str, server: RealSshd, *more: str) -> str:
    """An ssh_config block for a server; the login key stands in ``more`` where a case needs it."""
    lines = [f"HostName {server.address}", f"Port {server.port}", f"User {server.user}", *more]
    return f"Host {name}\n" + "".join(f"  {line}\n" for line in lines)


def keygen(*words: object) -> None:
    """Run ssh-keygen silently."""
    argv = ["ssh-keygen", "-q", *(str(word) for word in words)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True)


@contextlib.contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[Path]:
    """An ssh-agent that holds these keys."""
    path = folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it names its socket once it listens; the file is there before that
            env = {**os.environ, "SSH_AUTH_SOCK": str(path)}
            subprocess.run(["ssh-add", "-q", *map(str, keys)], check=True, stdin=subprocess.DEVNULL, env=env)
            yield path
        finally:
            process.terminate()


async def jumps_listed(kit: Kit) -> str:
    """ProxyJump one,two: both hops stand in one line."""
    one, two, inner = kit.server("one"), kit.server("two"), kit.server("inner")
    kit.config(
        block("one", one, f"IdentityFile {one.login_key}")
        + block("two", two, f"IdentityFile {two.login_key}")
        + block("inner", inner, f"IdentityFile {inner.login_key}", "ProxyJump one,two")
    )
    return await kit.figures(Host("inner"))


async def jumps_nested(kit: Kit) -> str:
    """A jump host that has a jump host of its own, with a user and a port in the word."""
    one, two, inner = kit.server("one"), kit.server("two"), kit.server("inner")
    kit.config(
        block("one", one, f"IdentityFile {one.login_key}")
        + f"Host 127.0.0.1\n  IdentityFile {two.login_key}\n  ProxyJump one\n"
        + block("inner", inner, f"IdentityFile {inner.login_key}", f"ProxyJump {two.user}@127.0.0.1:{two.port}")
        + f"Match originalhost inner\n  HostName localhost\n  HostKeyAlias [127.0.0.1]:{inner.port}\n"
    )
    return await kit.figures(Host("inner"))


async def proxy_command(kit: Kit) -> str:
    """ProxyCommand with its tokens."""
    server = kit.server("sshd")
    relay = kit.folder / "relay.py"
    relay.write_text(
        "import os,socket,sys,threading\ns=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
        "def back():\n  while d:=s.recv(65536): os.write(1,d)\n"
        "threading.Thread(target=back,daemon=True).start()\n"
        "while d:=os.read(0,65536): s.sendall(d)\n"
    )
    command = f"ProxyCommand {sys.executable} {relay} %h %p 2>/dev/null"
    kit.config(block("far", server, f"IdentityFile {server.login_key}", command))
    return await kit.figures(Host("far"))


async def agent_only(kit: Kit) -> str:
    """The key is in the agent alone (IdentityAgent), among eight that the server would not wait for."""
    server = kit.server("sshd")
    others = [kit.folder / f"other{n}" for n in range(8)]
    for path in others:
        make_key(path, "ed25519")
    with agent(kit.folder, *others, server.login_key) as socket_path:
        server.login_key.unlink()
        kit.config(
            block("h", server, f"IdentityFile {server.login_key}", "IdentitiesOnly yes", f"IdentityAgent {socket_path}")
        )
        return await kit.figures(Host("h"))


async def agent_order(kit: Kit) -> str:
    """The key that ssh_config names comes first, though the agent holds eight others before it."""
    server = kit.server("sshd")
    others = [kit.folder / f"other{n}" for n in range(8)]
    for path in others:
        make_key(path, "ed25519")
    with agent(kit.folder, *others, server.login_key) as socket_path:
        kit.config(block("h", server, f"IdentityFile {server.login_key}.pub", f"IdentityAgent {socket_path}"))
        return await kit.figures(Host("h"))


def _user_authority(kit: Kit) -> RealSshd:
    make_key(kit.folder / "ca", "ed25519")
    server = kit.server("sshd", f"TrustedUserCAKeys {kit.folder / 'ca.pub'}")
    server.authorized_keys.write_text("")
    keygen("-s", kit.folder / "ca", "-I", "u", "-n", server.user, server.login_key.with_suffix(".pub"))
    return server


async def user_certificate(kit: Kit) -> str:
    """CertificateFile, signed by an authority that the host trusts."""
    server = _user_authority(kit)
    certificate = kit.folder / "elsewhere-cert.pub"
    Path(f"{server.login_key}-cert.pub").rename(certificate)
    kit.config(block("h", server, f"IdentityFile {server.login_key}", f"CertificateFile {certificate}"))
    return await kit.figures(Host("h"))


async def user_certificate_beside_key(kit: Kit) -> str:
    """A certificate beside its key is taken without being named."""
    server = _user_authority(kit)
    kit.config(block("h", server, f"IdentityFile {server.login_key}"))
    return await kit.figures(Host("h"))


async def user_certificate_agent(kit: Kit) -> str:
    """The certificate is a file, its key is in the agent alone."""
    server = _user_authority(kit)
    certificate = kit.folder / "elsewhere-cert.pub"
    Path(f"{server.login_key}-cert.pub").rename(certificate)
    with agent(kit.folder, server.login_key) as socket_path:
        server.login_key.unlink()
        kit.config(block("h", server, f"CertificateFile {certificate}", f"IdentityAgent {socket_path}"))
        return await kit.figures(Host("h"))


async def host_certificate(kit: Kit) -> str:
    """@cert-authority in known_hosts, at the host and at its jump host."""
    make_key(kit.folder / "ca", "ed25519")
    servers = []
    for name in ("one", "inner"):
        folder = kit.folder / name
        folder.mkdir()
        make_key(kit.folder / f"host-{name}", "ed25519")
        keygen("-s", kit.folder / "ca", "-I", name, "-h", "-n", "127.0.0.1", kit.folder / f"host-{name}.pub")
        certificate = kit.folder / f"host-{name}-cert.pub"
        key = kit.folder / f"host-{name}"
        servers.append(kit.server(name, f"HostKey {key}", f"HostCertificate {certificate}"))
    one, inner = servers
    authority = " ".join((kit.folder / "ca.pub").read_text().split()[:2])
    kit.known_hosts.write_text(f"@cert-authority *127.0.0.1* {authority}\n")
    kit.config(
        block("one", one, f"IdentityFile {one.login_key}")
        + block("inner", inner, f"IdentityFile {inner.login_key}", "ProxyJump one")
    )
    return await kit.figures(Host("inner"))


async def encrypted_key(kit: Kit) -> str:
    """An encrypted key whose passphrase the agent knows."""
    server = kit.server("sshd")
    with agent(kit.folder, server.login_key) as socket_path:
        keygen("-p", "-P", "", "-N", "secret", "-f", server.login_key)
        kit.config(block("h", server, f"IdentityFile {server.login_key}", f"IdentityAgent {socket_path}"))
        return await kit.figures(Host("h"))


async def encrypted_key_typed(kit: Kit) -> str:
    """An encrypted key whose passphrase a person types."""
    server = kit.server("sshd")
    make_key(server.login_key, "ecdsa")
    keygen("-p", "-P", "", "-N", "secret", "-m", "PKCS8", "-f", server.login_key)
    server.authorize()
    kit.config(block("h", server, f"IdentityFile {server.login_key}", "IdentityAgent none"))
    factory = kit.factory()
    with contextlib.suppress(SSHAuthenticationError):
        await factory.connect(Host("h"))
        raise AssertionError("nobody asked")
    (request,) = kit.secrets.pending()
    await kit.secrets.answer(request, SecretStr("secret"))
    samples = await samples_of(factory, Host("h"), 1)
    return f"asked once: {request.kind}; {len(samples)} sample"


async def changed_host_key(kit: Kit) -> str:
    """A changed key blocks the host and shows both fingerprints."""
    server = kit.server("sshd")
    make_key(kit.folder / "old", "ed25519")
    old = " ".join((kit.folder / "old.pub").read_text().split()[:2])
    kit.known_hosts.write_text(f"[127.0.0.1]:{server.port} {old}\n")
    kit.config(block("h", server, f"IdentityFile {server.login_key}"))
    try:
        await kit.factory().connect(Host("h"))
    except SSHHostKeyError as exc:
        assert reason_of(exc) is Reason.KEY_CHANGED and exc.message.count("SHA256:") == 2, exc.message
        return "refused, old and new shown"
    raise AssertionError("a changed key was taken")


async def hashed_known_hosts(kit: Kit) -> str:
    """known_hosts hashed by ssh-keygen -H."""
    server = kit.server("sshd")
    keygen("-H", "-f", kit.known_hosts)
    assert "127.0.0.1" not in kit.known_hosts.read_text()
    kit.config(block("h", server, f"IdentityFile {server.login_key}"))
    return await kit.figures(Host("h"))


async def ipv6(kit: Kit) -> str:
    """An IPv6 address, and through a jump host."""
    one, inner = kit.server("one"), kit.server("inner", address="::1")
    kit.config(
        block("one", one, f"IdentityFile {one.login_key}")
        + block("six", inner, f"IdentityFile {inner.login_key}")
        + block("far", inner, f"IdentityFile {inner.login_key}", "ProxyJump one")
    )
    await kit.figures(Host("six"))
    return await kit.figures(Host("far"))


def _forced(kit: Kit, *options: str) -> RealSshd:
    server = kit.server("sshd")
    script = kit.folder / "jumpwatch-loop"
    script.write_text(forced_command_script())
    script.chmod(0o755)
    server.authorize(",".join(["restrict", f'command="{script}"', *options]))
    kit.config(block("h", server, f"IdentityFile {server.login_key}"))
    return server


async def forced_command(kit: Kit) -> str:
    """A key that may run the installed loop alone: figures come, no other command runs."""
    _forced(kit)
    session = await kit.factory().connect(Host("h"))
    try:
        result = await session.run(["id"])
        assert (result.exit_code, result.stdout) == (126, ""), result
    finally:
        await session.close()
    return await kit.figures(Host("h"))


def shell_case(words: str, *, force_sh: bool) -> Callable[[Kit], Awaitable[str]]:
    """The loop under a login shell: ForceCommand hands it the command as sshd does."""

    async def case(kit: Kit) -> str:
        path = shutil.which(words.split()[0])
        if path is None:
            raise FileNotFoundError(f"install {words.split()[0]}")
        shell = " ".join([path, *words.split()[1:]])
        server = kit.server("sshd", f'ForceCommand exec {shell} -c "$SSH_ORIGINAL_COMMAND"')
        kit.config(block("h", server, f"IdentityFile {server.login_key}"))
        return await kit.figures(Host("h"), count=2, force_sh=force_sh)

    case.__doc__ = f"login shell {words}, loop in {'sh' if force_sh else 'python3'}"
    return case


async def killed(kit: Kit) -> str:
    """kill -9 of the whole program: no loop on the host, in python3 or in sh, outlives it by 20 s."""
    forced = 'ForceCommand exec dash -c "$(printf %s "$SSH_ORIGINAL_COMMAND" | sed \'s/$/ MODE=sh/\')"'
    servers = (kit.server("python"), kit.server("sh", forced))
    home = kit.folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    shutil.copy(kit.known_hosts, home / ".ssh" / "known_hosts")
    inventory = home / "hosts.toml"
    inventory.write_text(
        "".join(
            f'[[hosts]]\nname = "h{n}"\naddress = "127.0.0.1"\nport = {s.port}\nuser = "{s.user}"\n'
            f'identity_files = ["{s.login_key}"]\n'
            for n, s in enumerate(servers)
        )
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JUMPWATCH_", "XDG_"))}
    env |= {
        "HOME": str(home),
        "PYTHONPATH": str(SOURCE),
        "JUMPWATCH_INVENTORY_FILE": str(inventory),
        "JUMPWATCH_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none",  # polling goes on without it
    }
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE, cwd=SOURCE, env=env
    )
    try:
        assert program.stdout is not None
        async with asyncio.timeout(60):
            for _ in servers:
                assert await program.stdout.readline() == b"sample\n"
        before = [loops_of(server) for server in servers]
        assert all(before), before
        program.send_signal(signal.SIGKILL)
        start = time.monotonic()
        while any(loops_of(server) for server in servers):
            assert time.monotonic() - start < 20, [loops_of(server) for server in servers]
            await asyncio.sleep(0.1)
        return f"gone after {time.monotonic() - start:.1f} s"
    finally:
        if program.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                program.kill()
        await program.wait()


def loops_of(server: RealSshd) -> list[str]:
    """The command lines of the loop's processes under a server."""
    below = set(server.children())
    return [line for pid, line in processes_with("NONCE=").items() if pid in below and "sshd" not in line.split()[0]]


SHELLS = ("bash", "dash", "busybox ash", "fish", "tcsh", "zsh", "ksh")
CASES: dict[str, Callable[[Kit], Awaitable[str]]] = {
    "jump hosts: two in one ProxyJump": jumps_listed,
    "jump hosts: one behind another": jumps_nested,
    "ProxyCommand": proxy_command,
    "agent: IdentitiesOnly, key file gone": agent_only,
    "agent: nine keys, the right one first": agent_order,
    "user certificate: CertificateFile": user_certificate,
    "user certificate: beside its key": user_certificate_beside_key,
    "user certificate: key in the agent": user_certificate_agent,
    "host certificate: @cert-authority": host_certificate,
    "encrypted key: agent": encrypted_key,
    "encrypted key: passphrase typed": encrypted_key_typed,
    "changed host key": changed_host_key,
    "HashKnownHosts": hashed_known_hosts,
    "IPv6, direct and behind a jump host": ipv6,
    "forced command": forced_command,
    **{
        f"login shell {shell}: {'sh' if force_sh else 'python3'} loop": shell_case(shell, force_sh=force_sh)
        for shell in SHELLS
        for force_sh in (False, True)
    },
    "kill -9 of the program": killed,
}


async def one(name: str, folder: Path) -> str:
    """Run one case in a folder; returns what it saw, raises what went wrong."""
    kit = Kit(folder)
    with kit.servers:
        return await CASES[name](kit)


def main(words: list[str]) -> int:
    """Run the cases whose names hold one of the words (all, if none) and print a line for each."""
    need_sshd()
    wanted = [name for name in CASES if not words or any(word in name for word in words)]
    failed = 0
    for number, name in enumerate(wanted):
        with tempfile.TemporaryDirectory(prefix="jw-") as folder:
            start = time.monotonic()
            place = Path(folder) / str(number)
            place.mkdir()
            try:
                result, word = asyncio.run(one(name, place)), "pass"
            except Exception as exc:  # noqa: BLE001 - a line of the table
                failed, word, result = failed + 1, "FAIL", f"{type(exc).__name__}: {exc}"
        print(f"{word}  {name:<42} {time.monotonic() - start:5.1f} s  {result}", flush=True)
    print(f"{len(wanted) - failed} of {len(wanted)} pass")
    return 1 if failed or descendants(os.getpid()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
