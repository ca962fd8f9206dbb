"""Commands that look at hosts once, without a screen or a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from core.collectors.assemble import SampleAssembler
from core.collectors.loop import loop_calls
from core.exceptions import ConfigurationError, DataCollectionError, InfrastructureException, SSHTimeoutError
from core.live_state import LiveState, fullest
from core.models import HostState, Reason, Transition
from core.polling.assess import Assessor, Limits
from core.ports import SystemClock
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews
from core.ssh.keyring import system_keyring
from core.ssh.pool import AsyncSSHFactory
from core.ssh.secrets import Secrets

if TYPE_CHECKING:
    from core.config import ApplicationSettings
    from core.models import Host, HostKeyReview, HostSample, HostView

_FIRST_INTERVAL_S = 1.0  # rates need two frames; one second apart is enough for a look


@dataclass(frozen=True, slots=True)
class HostCheck:
    """What a login to one host gave; ``review`` is the key that waits, where one does."""

    host: Host
    ok: bool
    reason: Reason
    detail: str
    review: HostKeyReview | None = None


def limits_of(settings: ApplicationSettings) -> Limits:
    """The thresholds that make a host degraded."""
    monitoring = settings.monitoring
    return Limits(monitoring.cpu_warn_pct, monitoring.mem_warn_pct, monitoring.disk_warn_pct)


def make_secrets(settings: ApplicationSettings, say: Callable[[str], None]) -> Secrets:
    """The answers of logins; with the keyring where the settings ask for it and the package is there."""
    if not settings.ssh.keyring:
        return Secrets()
    try:
        return Secrets(keyring=system_keyring())
    except ConfigurationError as exc:
        say(exc.message)
        return Secrets()


def make_factory(
    settings: ApplicationSettings, keys: HostKeyReviews, secrets: Secrets | None = None
) -> AsyncSSHFactory:
    """The SSH side as the settings say."""
    return AsyncSSHFactory(
        settings.ssh,
        keys,
        loop_calls(settings.polling.frame_max_bytes),
        secrets=secrets,
        heartbeat_s=settings.polling.heartbeat_s,
    )


async def check_hosts(
    settings: ApplicationSettings, hosts: list[Host], secrets: Secrets | None = None
) -> list[HostCheck]:
    """Log in to each host and run ``true``; failures are told apart, none stops the others.

    What logins ask for waits in ``secrets``, and what was answered there is used.
    """
    keys = HostKeyReviews(settings.ssh.known_hosts)
    factory = make_factory(settings, keys, secrets)

    async def check(host: Host) -> HostCheck:
        try:
            session = await factory.connect(host)
            try:
                result = await session.run(["true"], timeout_s=settings.ssh.command_timeout_s)
            finally:
                await session.close()
            if result.exit_code != 0:
                text = f"logged in, but `true` ended with {result.exit_code}: {result.stderr.strip()[:200]}"
                return HostCheck(host, False, Reason.SHELL, text)
            return HostCheck(host, True, Reason.NONE, "login works")
        except InfrastructureException as exc:
            review = next((r for r in keys.pending() if r.host == host.name), None)
            return HostCheck(host, False, reason_of(exc), exc.message, review)

    return list(await asyncio.gather(*(check(h) for h in hosts)))


async def poll_once(settings: ApplicationSettings, hosts: list[Host]) -> list[HostView]:
    """Poll each host for its second frame, the first with rates; in the order given."""
    keys = HostKeyReviews(settings.ssh.known_hosts)
    factory = make_factory(settings, keys)
    live = LiveState(SystemClock())
    live.set_hosts(hosts)

    async def poll(host: Host) -> None:
        if host.maintenance:
            now, line = SystemClock().now(), host.maintenance_line
            live.apply_transition(Transition(host.name, now, HostState.UNKNOWN, HostState.MAINTENANCE, detail=line))
            return
        try:
            sample = await _second_sample(settings, factory, host)
        except InfrastructureException as exc:
            live.apply_transition(
                Transition(
                    host.name, SystemClock().now(), HostState.UNKNOWN, HostState.OFFLINE, reason_of(exc), exc.message
                )
            )
            return
        live.apply_sample(sample)
        state, reason, detail = Assessor(limits_of(settings)).assess(sample, sample.system.mem_pct, fullest(sample))
        live.apply_transition(Transition(host.name, sample.ts, HostState.UNKNOWN, state, reason, detail))

    await asyncio.gather(*(poll(h) for h in hosts))
    return list(live.current().hosts)


async def _second_sample(settings: ApplicationSettings, factory: AsyncSSHFactory, host: Host) -> HostSample:
    session = await factory.connect(host)
    try:
        frames: asyncio.Queue[tuple[bytes, datetime]] = asyncio.Queue()
        stream = await session.open_stream(lambda f, at: frames.put_nowait((f, at)), interval_s=_FIRST_INTERVAL_S)
        assembler = SampleAssembler(host.name)
        limit = settings.ssh.command_timeout_s + 2 * _FIRST_INTERVAL_S
        closed = asyncio.ensure_future(stream.wait_closed())
        try:
            async with asyncio.timeout(limit):
                first = await _next_sample(assembler, frames, closed)
                second = await _next_sample(assembler, frames, closed)
        except TimeoutError as exc:
            raise SSHTimeoutError(
                f"logged in, but no figures came within {limit:.0f} s", timeout_seconds=limit, hostname=host.name
            ) from exc
        finally:
            closed.cancel()
            await asyncio.gather(closed, return_exceptions=True)
            await stream.close()
        # The loop sends slow sections only when they are due: what the first frame said of them still stands.
        return _with_slow_sections(second, first)
    finally:
        await session.close()


def _with_slow_sections(sample: HostSample, earlier: HostSample) -> HostSample:
    if sample.filesystems is not None:
        return sample
    return replace(
        sample, filesystems=earlier.filesystems, sections={**dict(earlier.sections), **dict(sample.sections)}
    )


async def _next_sample(
    assembler: SampleAssembler, frames: asyncio.Queue[tuple[bytes, datetime]], closed: asyncio.Future[None]
) -> HostSample:
    getter: asyncio.Future[tuple[bytes, datetime]] = asyncio.ensure_future(frames.get())
    try:
        await asyncio.wait((getter, closed), return_when=asyncio.FIRST_COMPLETED)
        if not getter.done():
            closed.result()  # raises what ended the stream
            raise DataCollectionError("the host ended the stream before it sent figures")
        frame, at = getter.result()
        return assembler.feed(frame, at)
    finally:
        getter.cancel()
