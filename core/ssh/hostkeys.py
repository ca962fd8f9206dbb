"""Host keys are checked always: the review queue of unknown and changed keys, and what accepting one does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from asyncssh import SSHKey

from core.exceptions import BusinessLogicError, ConfigurationError, ResourceNotFoundError, SSHHostKeyError
from core.models import HostKeyReview, Reason
from core.ssh.known_hosts import SYSTEM_FILE, KnownHostsFiles, Trust, append_line, pattern, stored_line


def public_line(key: SSHKey) -> str:
    """The key in OpenSSH's form, type and data, without a comment."""
    return " ".join(key.export_public_key("openssh").decode("ascii").split()[:2])


class HostKeyReviews:
    """Implements core.ports.HostKeyStore over the user's known_hosts; at most one review a place and key."""

    def __init__(self, known_hosts: Path, *, on_queue: Callable[[HostKeyReview], None] | None = None) -> None:
        self.known_hosts = known_hosts
        self._files = KnownHostsFiles()
        self._queue: dict[tuple[str, int, str], HostKeyReview] = {}
        self._on_queue = on_queue
        self._lock = asyncio.Lock()

    def pending(self) -> tuple[HostKeyReview, ...]:
        """The keys that wait for a person, oldest first."""
        return tuple(self._queue.values())

    async def settled(self) -> tuple[HostKeyReview, ...]:
        """Take those off the queue whose key has come into its file by another way; return them."""
        waiting = self.pending()

        def known() -> list[HostKeyReview]:
            found = []
            for review in waiting:
                with contextlib.suppress(OSError):  # the next connection says what is wrong with the file
                    trust = self._files.trust((Path(review.known_hosts),), review.address, review.port)
                    if review.public_key in map(public_line, trust.keys):
                        found.append(review)
            return found

        gone = await asyncio.to_thread(known) if waiting else []
        for review in gone:
            self._queue.pop((review.address, review.port, review.fingerprint), None)
        return tuple(gone)

    async def trust(self, host: str, port: int, files: Sequence[Path] = ()) -> Trust:
        """Return what the files (the user's and the system's, if none) say of a host.

        Raises ConfigurationError where one of them is there and cannot be read.
        """
        paths = files or (self.known_hosts, SYSTEM_FILE)
        try:
            return await asyncio.to_thread(self._files.trust, paths, host, port)
        except OSError as exc:
            raise ConfigurationError(
                f"{exc.filename or paths[0]}: {exc.strerror}; host keys cannot be checked without it",
                hostname=host,
                operation="host-key",
                details={"kind": Reason.KEY_UNKNOWN.value},
            ) from None

    def refuse(
        self,
        host: str,
        address: str,
        port: int,
        key: SSHKey,
        trust: Trust,
        files: Sequence[Path] = (),
        *,
        hashed: bool = False,
        dns: str = "",
    ) -> SSHHostKeyError:
        """Queue a key that is not trusted, to be stored in the first of the files; return the error that says so."""
        changed = bool(trust.keys) and trust.exact
        place = pattern(address, port)
        fingerprint = key.get_fingerprint()
        review = HostKeyReview(
            host=host,
            address=address,
            port=port,
            key_type=key.get_algorithm(),
            fingerprint=fingerprint,
            public_key=public_line(key),
            changed=changed,
            old_fingerprints=tuple(old.get_fingerprint() for old in trust.keys) if changed else (),
            known_hosts=str(files[0] if files else self.known_hosts),
            at=datetime.now(UTC),
            hashed=hashed,
            dns=dns,
        )
        # Another key at the same place takes the place of the one that waited: it is what the host shows now.
        for earlier in [k for k in self._queue if k[:2] == (address, port) and k[2] != fingerprint]:
            del self._queue[earlier]
        if (address, port, fingerprint) not in self._queue:
            self._queue[address, port, fingerprint] = review
            if self._on_queue is not None:
                self._on_queue(review)
        if changed:
            text = (
                f"the host key of {place} has CHANGED: it shows {fingerprint}, known is "
                f"{', '.join(review.old_fingerprints)} ({', '.join(trust.places)}); blocked until a person has looked"
            )
            return self._error(host, text, Reason.KEY_CHANGED, key, review.old_fingerprints)
        text = f"the host key of {place} is unknown: {key.get_algorithm()} {fingerprint}; review and accept it"
        return self._error(host, text, Reason.KEY_UNKNOWN, key)

    @staticmethod
    def unverifiable(host: str, address: str, port: int, why: str) -> SSHHostKeyError:
        """The error for a revoked key or a certificate that does not hold: nothing that a review could accept."""
        return SSHHostKeyError(
            f"the host key of {pattern(address, port)} must not be used: {why}; see known_hosts",
            hostname=host,
            operation="host-key",
            details={"kind": Reason.KEY_CHANGED.value, "status": "unverifiable"},
        )

    @staticmethod
    def _error(host: str, text: str, reason: Reason, key: SSHKey, old: tuple[str, ...] = ()) -> SSHHostKeyError:
        return SSHHostKeyError(
            text,
            hostname=host,
            operation="host-key",
            details={
                "kind": reason.value,
                "status": "changed" if reason is Reason.KEY_CHANGED else "unknown",
                "key_type": key.get_algorithm(),
                "fingerprint": key.get_fingerprint(),
                "old_fingerprints": list(old),
            },
        )

    async def accept(self, review: HostKeyReview) -> None:
        """Append an unknown key to known_hosts; the host can then be connected anew.

        Raises ResourceNotFoundError if this very key does not wait, BusinessLogicError for a changed key (the old
        line must be taken out by hand), ConfigurationError if the file cannot be written.
        """
        async with self._lock:
            name = (review.address, review.port, review.fingerprint)
            waiting = self._queue.get(name)
            if waiting is None:
                raise ResourceNotFoundError(
                    f"no host key {review.fingerprint} of {review.address} waits for review; the host may show another",
                    hostname=review.host,
                    operation="host-key",
                )
            path = Path(waiting.known_hosts)
            trust = await self.trust(waiting.address, waiting.port, (path,))
            known = {public_line(key) for key in trust.keys}
            if waiting.public_key not in known:
                if known and trust.exact:
                    raise self._refusal(waiting, trust)
                await self._append(path, waiting)
            self._queue.pop(name, None)

    async def _append(self, path: Path, review: HostKeyReview) -> None:
        try:
            await asyncio.to_thread(append_line, path, stored_line(review))
        except OSError as exc:
            raise ConfigurationError(
                f"{path}: {exc.strerror}; the key of {review.address} was not stored",
                hostname=review.host,
                operation="host-key",
            ) from None

    @staticmethod
    def _refusal(review: HostKeyReview, trust: Trust) -> BusinessLogicError:
        place, file = pattern(review.address, review.port), review.known_hosts
        return BusinessLogicError(
            f"the key of {place} differs from the one at {', '.join(trust.places)}. If the change is meant, take the "
            f"old one out (ssh-keygen -R '{place}' -f '{file}') and connect again",
            hostname=review.host,
            operation="host-key",
            details={"old": list(trust.places)},
        )

    def reject(self, review: HostKeyReview) -> None:
        """Forget a key without trusting it; it is queued again when the host shows it again."""
        self._queue.pop((review.address, review.port, review.fingerprint), None)
