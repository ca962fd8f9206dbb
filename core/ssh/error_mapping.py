"""Foreign errors of a connection become ours, each with its reason and a way out."""

from __future__ import annotations

import errno
import re
import socket

import asyncssh

from core.exceptions import (
    ConfigurationError,
    DataCollectionError,
    InfrastructureException,
    SSHAuthenticationError,
    SSHCommandError,
    SSHConnectionError,
    SSHHostKeyError,
    SSHTimeoutError,
)
from core.models import Reason

_ERRNO_REASON = {
    errno.ECONNREFUSED: Reason.PORT,
    errno.EHOSTUNREACH: Reason.ROUTE,
    errno.ENETUNREACH: Reason.ROUTE,
    errno.EHOSTDOWN: Reason.ROUTE,
    errno.ENETDOWN: Reason.ROUTE,
    errno.EADDRNOTAVAIL: Reason.ROUTE,
    errno.ETIMEDOUT: Reason.FILTERED,
    errno.ECONNRESET: Reason.LOST,
    errno.EPIPE: Reason.LOST,
}
_ERRNO = re.compile(r"\[Errno (\d+)\]")
# What a jump host says of the next hop (RFC 4254 leaves the text open; these are OpenSSH's and dropbear's).
_TUNNEL_TEXT = (
    ("refused", Reason.PORT),
    ("unreachable", Reason.ROUTE),
    ("no route", Reason.ROUTE),
    ("timed out", Reason.FILTERED),
    ("not known", Reason.NAME),
    ("name resolution", Reason.NAME),
    ("resolve", Reason.NAME),
)
_ADVICE = {
    Reason.NAME: "the name does not resolve; check its spelling, DNS, or HostName in your ssh_config",
    Reason.ROUTE: "no route to it; check the network, the VPN, or a ProxyJump in your ssh_config",
    Reason.PORT: "connection refused; is sshd running, and is this its port?",
    Reason.FILTERED: "nothing answers; the host is off or a firewall drops the packets",
    Reason.PROTOCOL: "something other than SSH answers; is this the SSH port?",
    Reason.LOST: "the connection broke",
    Reason.LOGIN: "the login was refused; check the user, the key, and that ssh-agent holds it (try: ssh {target})",
}
_BY_CLASS: tuple[tuple[type[InfrastructureException], Reason], ...] = (
    (SSHAuthenticationError, Reason.LOGIN),
    (SSHHostKeyError, Reason.KEY_UNKNOWN),
    (SSHTimeoutError, Reason.TIMEOUT),
    (SSHCommandError, Reason.SHELL),
    (SSHConnectionError, Reason.LOST),
    (DataCollectionError, Reason.DATA),
    (ConfigurationError, Reason.LOGIN),
)


def reason_of(exc: InfrastructureException) -> Reason:
    """Return why the host is not online: details["kind"] where it is set, else by the class of the error."""
    try:
        return Reason(exc.details["kind"])
    except (KeyError, ValueError):
        return next((reason for kind, reason in _BY_CLASS if isinstance(exc, kind)), Reason.LOST)


def printable(raw: bytes, limit: int) -> str:
    """What the other side said, as one line that is safe to show."""
    words = " ".join(raw.decode("utf-8", "replace").split())
    return "".join(sign if sign.isprintable() else "?" for sign in words)[:limit]


def connection_error(
    reason: Reason, place: str, *, hostname: str, detail: str = "", operation: str = "connect"
) -> InfrastructureException:
    """Build the error for a reason; ``place`` is the address and port that was tried, ``detail`` the other side's."""
    advice = _ADVICE.get(reason, reason.value).format(target=hostname)
    text = f"{place}: {advice}" + (f" ({detail})" if detail else "")
    kind = SSHAuthenticationError if reason is Reason.LOGIN else SSHConnectionError
    return kind(text, hostname=hostname, operation=operation, details={"kind": reason.value, "place": place})


def closed_error(exc: asyncssh.Error, place: str, *, hostname: str, operation: str) -> SSHConnectionError | None:
    """The error for what was asked of a connection that is gone; None where the host itself refused."""
    if isinstance(exc, asyncssh.ChannelOpenError):
        gone = exc.reason == "SSH connection closed"  # asyncssh's own word, no host's
    else:
        gone = exc.code in (asyncssh.FX_CONNECTION_LOST, asyncssh.FX_NO_CONNECTION)
    if not gone:
        return None
    return SSHConnectionError(
        f"{place}: the connection is closed, by the host or the network; a polled host is connected anew by itself "
        "(r does it at once): try again then",
        hostname=hostname,
        operation=operation,
        details={"kind": Reason.LOST.value, "place": place, "begun": False},
    )


def timeout_error(reason: Reason, place: str, seconds: float, *, hostname: str) -> SSHTimeoutError:
    """Build the error for a wait that ran out, told apart by how far the connection had come."""
    text = {
        Reason.FILTERED: f"no answer within {seconds:g} s; the host is off or a firewall drops the packets",
        Reason.PROTOCOL: f"connected, but no SSH greeting within {seconds:g} s; is this the SSH port?",
        Reason.TIMEOUT: f"SSH answers, but the login took longer than {seconds:g} s; the host may be overloaded",
    }[reason]
    return SSHTimeoutError(
        f"{place}: {text}",
        timeout_seconds=seconds,
        hostname=hostname,
        operation="connect",
        details={"kind": reason.value, "place": place},
    )


def map_error(exc: Exception, place: str, *, hostname: str, greeted: bool, operation: str = "connect") -> Exception:
    """Turn what asyncssh or the operating system raised into ours; ``greeted``: an SSH version had come.

    What is already ours comes back as it is.
    """
    if isinstance(exc, InfrastructureException):
        return exc
    if isinstance(exc, asyncssh.PermissionDenied):
        return connection_error(Reason.LOGIN, place, hostname=hostname, operation=operation)
    if isinstance(exc, asyncssh.ChannelOpenError):
        return _from_channel(exc, place, hostname, operation)
    if isinstance(exc, asyncssh.DisconnectError):
        return _from_disconnect(exc, place, hostname, greeted, operation)
    if isinstance(exc, socket.gaierror):
        return connection_error(Reason.NAME, place, hostname=hostname, operation=operation)
    if isinstance(exc, OSError) and exc.filename is not None:
        return _from_file(exc, hostname, operation)
    if isinstance(exc, OSError):
        return _from_system(exc, place, hostname, greeted, operation)
    # asyncssh reports bad configuration, keys and options as ValueError (ConfigParseError, KeyImportError).
    return ConfigurationError(
        f"{hostname}: {exc}; check your ssh_config and key files",
        hostname=hostname,
        operation=operation,
        details={"kind": Reason.LOGIN.value},
    )


def _from_disconnect(
    exc: asyncssh.DisconnectError, place: str, hostname: str, greeted: bool, operation: str
) -> InfrastructureException:
    detail = printable(str(exc.reason).encode(), 120)
    if not greeted:
        detail = "" if isinstance(exc, asyncssh.ConnectionLost) else detail
        return connection_error(Reason.PROTOCOL, place, hostname=hostname, detail=detail, operation=operation)
    if "authentication" in detail.lower():  # OpenSSH: "Too many authentication failures"
        return connection_error(Reason.LOGIN, place, hostname=hostname, detail=detail, operation=operation)
    if isinstance(exc, asyncssh.KeyExchangeFailed | asyncssh.ProtocolError | asyncssh.ProtocolNotSupported):
        return SSHConnectionError(
            f"{place}: no common SSH protocol ({detail})",
            hostname=hostname,
            operation=operation,
            details={"kind": Reason.PROTOCOL.value, "place": place},
        )
    return connection_error(Reason.LOST, place, hostname=hostname, detail=detail, operation=operation)


def _from_channel(exc: asyncssh.ChannelOpenError, place: str, hostname: str, operation: str) -> InfrastructureException:
    text = printable(str(exc.reason).encode(), 90)
    for word, reason in _TUNNEL_TEXT:
        if word in text.lower():
            return connection_error(
                reason, place, hostname=hostname, detail=f"as the jump host says: {text}", operation=operation
            )
    return connection_error(Reason.LOST, place, hostname=hostname, detail=text, operation=operation)


def _from_system(exc: OSError, place: str, hostname: str, greeted: bool, operation: str) -> InfrastructureException:
    numbers = [exc.errno] if exc.errno else [int(n) for n in _ERRNO.findall(str(exc))]  # several addresses, one text
    reasons = [_ERRNO_REASON[n] for n in numbers if n in _ERRNO_REASON]
    # Of several addresses the one that got furthest tells most: a refused port before a missing IPv6 route.
    order = (Reason.LOST, Reason.PORT, Reason.FILTERED, Reason.ROUTE)
    reason = next((r for r in order if r in reasons), Reason.LOST)
    if reason is Reason.LOST and not greeted and numbers:
        return connection_error(
            Reason.PROTOCOL, place, hostname=hostname, detail="it closes the connection at once", operation=operation
        )
    return connection_error(reason, place, hostname=hostname, operation=operation)


def _from_file(exc: OSError, hostname: str, operation: str) -> ConfigurationError:
    return ConfigurationError(
        f"{hostname}: {exc.filename}: {exc.strerror}; check the key files in the inventory and your ssh_config",
        hostname=hostname,
        operation=operation,
        details={"kind": Reason.LOGIN.value},
    )
