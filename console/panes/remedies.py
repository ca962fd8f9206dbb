"""The way out of each reason for which a host is not online, in one line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.models import HostState, Reason

if TYPE_CHECKING:
    from core.models import HostView

_WAYS = {
    Reason.NAME: "check the name: jumpwatch hosts list, /etc/hosts, or HostName in ~/.ssh/config",
    Reason.ROUTE: "check the network or the VPN on this machine, or add a ProxyJump in ~/.ssh/config",
    Reason.PORT: "the machine answers but nothing listens: is sshd up, is the port right?",
    Reason.FILTERED: "nothing answers: the machine is down, or a firewall drops the port",
    Reason.PROTOCOL: "something else than SSH listens on that port: check the port",
    Reason.KEY_UNKNOWN: "h shows the host key for review",
    Reason.KEY_CHANGED: "the host key differs from known_hosts: h shows both; do not go on before you know why",
    Reason.LOGIN: "check user and key: try ssh to the host, load the key with ssh-add",
    Reason.SHELL: "logged in but the loop does not run: jumpwatch hosts probe shows what the host lacks",
    Reason.TIMEOUT: "the host is slow or hangs; it is tried again by itself",
    Reason.LOST: "the connection broke; it is tried again by itself",
    Reason.DATA: "frames come but cannot be read: jumpwatch hosts probe shows what the host sends",
}


def remedy(view: HostView) -> str:
    """Return the way out for the host's reason, empty where there is none to tell."""
    if view.state is HostState.ONLINE:
        return ""
    return _WAYS.get(view.reason, "")
