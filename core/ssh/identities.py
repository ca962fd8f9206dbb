"""The keys to log in with: the agent's, those in files, certificates to both, in the order that ssh(1) offers them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh
from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One IdentityFile as far as it can be read: a private key, its public half alone, or a locked key."""

    path: Path
    public: bytes | None = None  # SSH wire form; None: not known before it is unlocked
    key: asyncssh.SSHKey | None = None  # None: locked, or the private half is elsewhere (agent, token)
    locked: bool = False
    certificate: asyncssh.SSHCertificate | None = None  # beside it, PATH-cert.pub


@dataclass(frozen=True, slots=True)
class Identities:
    """What one login may offer."""

    files: tuple[KeyFile, ...] = ()
    certificates: tuple[asyncssh.SSHCertificate, ...] = ()
    agent: str = ""  # its socket; empty: none
    only: bool = False  # nothing of the agent but what files name


class KeyFiles:
    """Key files, each read once as long as it does not change; unlocked keys stay in memory. Blocking: for threads."""

    def __init__(self) -> None:
        self._cache: dict[Path, tuple[tuple[object, ...], KeyFile]] = {}
        self._unlocked: dict[Path, asyncssh.SSHKey] = {}
        self._lock = threading.Lock()

    def read(self, path: Path) -> KeyFile | None:
        """Return the key of a file, None where neither it nor its public half is there.

        Raises OSError where it cannot be read, ValueError where it holds no key.
        """
        stamp = tuple(_stamp(Path(f"{path}{end}")) for end in ("", ".pub", "-cert.pub"))
        with self._lock:
            cached = self._cache.get(path)
            if cached is None or cached[0] != stamp:
                found = _read(path)
                if found is None:
                    return None
                cached = (stamp, found)
                self._cache[path] = cached
                self._unlocked.pop(path, None)
            found = cached[1]
            key = self._unlocked.get(path)
            return found if key is None else KeyFile(path, key.public_data, key, False, found.certificate)

    def unlock(self, path: Path, passphrase: SecretStr) -> bool:
        """Decrypt a key file and keep the key; False where the passphrase is wrong. Raises OSError or ValueError."""
        try:
            key = asyncssh.import_private_key(path.read_bytes(), passphrase.get_secret_value())
        except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError) as exc:
            if "requires bcrypt" in str(exc):
                raise ValueError("to open it here the Python package bcrypt is needed; or give it to ssh-add") from None
            return False
        with self._lock:
            self._unlocked[path] = key
        return True


def _stamp(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _read(path: Path) -> KeyFile | None:
    certificate = _certificate(Path(f"{path}-cert.pub"))
    public = _public(Path(f"{path}.pub"))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return KeyFile(path, public.public_data, certificate=certificate) if public is not None else None
    try:
        key = asyncssh.import_private_key(data)
    except asyncssh.KeyImportError as exc:
        public = public or _public(path)
        if str(exc).startswith("Passphrase"):
            return KeyFile(path, public.public_data if public else None, None, True, certificate)
        if public is None:
            raise ValueError(f"{path}: {exc}") from None
        return KeyFile(path, public.public_data, certificate=certificate)
    return KeyFile(path, key.public_data, key, False, certificate)


def _public(path: Path) -> asyncssh.SSHKey | None:
    try:
        return asyncssh.read_public_key(path)
    except (OSError, asyncssh.KeyImportError):
        return None


def _certificate(path: Path) -> asyncssh.SSHCertificate | None:
    try:
        return asyncssh.read_certificate(path)
    except (OSError, asyncssh.KeyImportError):
        return None


def read_identities(
    files: KeyFiles,
    paths: Sequence[Path],
    certificates: Sequence[Path],
    *,
    agent: str,
    only: bool,
    required: bool,
) -> Identities:
    """Read what a login may offer. A file that is not there is passed over as ssh does, unless ``required``.

    Blocking: for threads. Raises OSError or ValueError.
    """
    found = []
    for path in paths:
        key = files.read(path)
        if key is not None:
            found.append(key)
        elif required:
            raise FileNotFoundError(2, "no such file", str(path))
    given = tuple(one for path in certificates if (one := _certificate(path)) is not None)
    return Identities(tuple(found), given, agent, only)


async def key_pairs(
    identities: Identities, agent: asyncssh.SSHAgentClient | None
) -> tuple[list[asyncssh.SSHKeyPair], tuple[KeyFile, ...]]:
    """Return the pairs to offer, in order, and the locked files that the agent does not hold either.

    The order is ssh's: keys of the agent that a file names, the agent's others, then keys in files; each with its
    certificate first. An agent that does not answer counts as none.
    """
    agent_pairs: list[asyncssh.SSHKeyPair] = []
    if agent is not None:
        try:
            agent_pairs = list(await agent.get_keys())
        except ValueError:  # no agent there, or none that speaks
            agent_pairs = []
    rank = {file.public: number for number, file in enumerate(identities.files) if file.public is not None}
    for certificate in identities.certificates:
        rank.setdefault(certificate.key.public_data, len(rank))
    named = [pair for pair in agent_pairs if pair.key_public_data in rank or pair.public_data in rank]
    named.sort(key=lambda pair: rank.get(pair.key_public_data, rank.get(pair.public_data, 0)))
    others = [] if identities.only else [pair for pair in agent_pairs if pair not in named]
    held = {pair.key_public_data for pair in agent_pairs}
    by_key: dict[bytes, list[asyncssh.SSHCertificate]] = {}
    for one in [*identities.certificates, *(file.certificate for file in identities.files)]:
        if one is not None and one not in by_key.setdefault(one.key.public_data, []):
            by_key[one.key.public_data].append(one)
    offered: list[asyncssh.SSHKeyPair] = []
    for pair in [*named, *others]:
        for one in by_key.get(pair.key_public_data, ()):
            signed = copy.copy(pair)
            signed.set_certificate(one)
            offered.append(signed)
        offered.append(pair)
    for file in identities.files:
        if file.key is not None and file.public not in held:
            signing = by_key.get(file.key.public_data, ())
            offered += [asyncssh.load_keypairs([(file.key, one)])[0] for one in signing]
            offered += asyncssh.load_keypairs([file.key])
    locked = tuple(file for file in identities.files if file.locked and file.public not in held)
    return offered, locked
