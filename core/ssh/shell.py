"""The user's own ssh for an interactive shell: its words, made from the host's line and the settings."""

from __future__ import annotations

import os
from pathlib import Path

from core.config import SSHSettings
from core.models import Host

_CONFIG, _KNOWN_HOSTS = "~/.ssh/config", "~/.ssh/known_hosts"


def shell_argv(host: Host, settings: SSHSettings) -> tuple[str, ...]:
    """Return the argv that reaches the host as polling does; how keys are checked is left to ssh and its config."""
    argv = ["ssh"]
    if host.simulated:
        argv += ["-F", "none"]  # kept apart from the user's ssh_config, as its polling is
    elif not _same(settings.config_file, _CONFIG):
        argv += ["-F", str(settings.config_file)]
    known = Path(host.known_hosts).expanduser() if host.known_hosts else settings.known_hosts
    if not _same(known, _KNOWN_HOSTS):
        argv += ["-o", f'UserKnownHostsFile="{known}"']
    if host.port is not None:
        argv += ["-p", str(host.port)]
    if user := host.user or settings.user:
        argv += ["-l", user]
    for name in host.identity_files:
        argv += ["-i", os.path.expanduser(name)]
    if host.identity_files:
        argv += ["-o", "IdentitiesOnly=yes"]
    return (*argv, "--", host.target)


def _same(path: Path, default: str) -> bool:
    return Path(path).expanduser() == Path(default).expanduser()
