"""A real sshd for each test that asks for one, and the factory over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.collectors.loop import loop_calls
from core.config import SSHSettings
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.pool import AsyncSSHFactory
from tests.ssh.sshd import RealSshd, running

MakeFactory = Callable[..., AsyncSSHFactory]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[RealSshd]:
    with running(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def keys(tmp_path: Path) -> HostKeyReviews:
    return HostKeyReviews(tmp_path / "sshd" / "known_hosts")


@pytest.fixture
def make_factory(tmp_path: Path, keys: HostKeyReviews) -> MakeFactory:
    """Make a factory; keyword arguments are SSH settings, but those that are named here, of the loop."""

    def make(
        *, force_sh: bool = False, max_bytes: int = 1 << 18, heartbeat_s: float = 2.0, **settings: object
    ) -> AsyncSSHFactory:
        values = {"config_file": tmp_path / "ssh_config", "connect_timeout_s": 5.0, "login_timeout_s": 8.0, **settings}
        return AsyncSSHFactory(
            SSHSettings(**values),  # type: ignore[arg-type]
            keys,
            loop_calls(max_bytes, force_sh=force_sh),
            heartbeat_s=heartbeat_s,
        )

    return make
