"""Everything that runs behind the console, joined: inventory or demo fleet, pollers, storage, bridge."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Collection, Coroutine
from typing import TYPE_CHECKING

import structlog

from console.composition.alerting import Alerting
from console.composition.demo import DemoWorld, demo_settings
from console.composition.garbage import tidy
from console.composition.held_inventory import HeldInventory
from console.composition.hostreach import Reach
from console.composition.huge_pages import enlarge
from console.composition.inspecting import Choice, Extras, changed_extras, make_inspection
from console.composition.oneshot import limits_of, make_factory, make_secrets
from console.composition.replay import Replayer
from console.composition.standing import Standing
from console.composition.storage_lane import StorageLane
from console.event_bridge import EventBridge
from core.collectors.assemble import SampleAssembler
from core.events import EventBus, Notice, RoleChanged
from core.exceptions import BusinessLogicError, InfrastructureException
from core.inventory import Inventory
from core.live_state import LiveState
from core.models import PollerRole, Reason
from core.operations import Gate
from core.polling.backoff import Backoff
from core.polling.context import PollingContext
from core.polling.supervisor import PollingSupervisor
from core.ports import SystemClock
from core.ssh.error_mapping import reason_of
from core.ssh.hostkeys import HostKeyReviews

if TYPE_CHECKING:
    from console.services import Post
    from core.config import ApplicationSettings
    from core.models import FleetView, Host
    from core.operations import Operations

_INVENTORY_S = 2.0
log = structlog.get_logger("console")


class Running:
    """The running program; ``run`` owns every task until it is cancelled, ``stop`` closes in order."""

    def __init__(
        self, settings: ApplicationSettings, say: Callable[[str], None], *, demo: bool, extras: Extras | None = None
    ) -> None:
        settings = demo_settings(settings) if demo else settings
        self.settings, self._say = settings, say
        self.clock = SystemClock()
        self.actor = getpass.getuser()
        self.bus = EventBus()
        self._early: list[str] = []  # told once the bus runs
        polling, monitoring = settings.polling, settings.monitoring
        self.live = LiveState(self.clock, history_points=polling.history_points, event_history=monitoring.event_history)
        self.gate = Gate(read_only=True)
        self.keys = HostKeyReviews(settings.ssh.known_hosts)
        self.secrets = make_secrets(settings, say)
        self.world = DemoWorld(settings, say) if demo else None
        self.alerts = Alerting(
            self.live, self.bus, self.clock, actor=self.actor, interval_s=polling.interval_s, fresh=demo,
            rules_file=None if demo else settings.inventory_file.with_name("alerts.toml"),
        )  # fmt: skip
        factory = make_factory(settings, self.keys, self.secrets)
        self.reach = Reach(lambda: self._listed, factory, lambda name: self.supervisor.session(name), settings)
        self.storage = StorageLane(
            settings,
            bus=self.bus,
            live=self.live,
            gate=self.gate,
            clock=self.clock,
            say=say,
            on_role=self._role,
            world=self.world,
            inventory=HeldInventory(lambda: self._listed, self._hold) if self.world else None,
            alerts=self.alerts,
            reach=self.reach,
        )
        self._choice = Choice(extras or Extras(), monitoring, self._tell, settings.swag)
        self.replay = Replayer(
            lambda: self.storage.database, self.live.current, self.gate, self.clock, polling.interval_s
        )
        self.supervisor = PollingSupervisor(
            PollingContext(
                factory=factory,
                answers=factory.answers,
                assembler=SampleAssembler,
                sink=self.storage.sink,
                live=self.live,
                bus=self.bus,
                clock=self.clock,
                reason_of=reason_of,
                limits=limits_of(settings),
                backoff=Backoff(polling.backoff_base_s, polling.backoff_max_s),
                interval_s=polling.interval_s,
                stale_after_intervals=polling.stale_after_intervals,
                inspection=make_inspection(self._choice, monitoring, self.live, self.clock),
            )
        )
        self.alerts.attach(lambda: self.storage.database, lambda: self.supervisor.paused)
        self._listed: list[Host] = []  # as the inventory has them
        self._hosts: list[Host] | None = None  # as they are now: maintenance may have ended
        self._fault = ""
        self._pause_wanted = asyncio.Event()
        self._standing = Standing(self)

    @property
    def view(self) -> FleetView:
        """What the screen shows: the newest, or a moment of the past."""
        return self.replay.shown or self.live.current()

    def operations(self) -> Operations:
        """What plans and applies; only with a database."""
        if self.storage.operations is None:
            raise BusinessLogicError("the database is not connected: nothing can be planned; the status line says why")
        return self.storage.operations

    def refresh_database(self) -> None:
        """Read the database's figures now."""
        self.storage.refresh.set()

    def wake_for_keys(self, accepted: Collection[str]) -> None:
        """Connect anew: hosts whose key is accepted, and those that may have waited for it as a jump host's."""
        waiting = {review.host for review in self.keys.pending()}
        for host in self.live.current().hosts:
            name = host.host.name
            if name in accepted or (host.reason is Reason.KEY_UNKNOWN and name not in waiting):
                self.supervisor.wake(name)

    def set_paused(self, paused: bool) -> None:
        """Pause or resume polling; the streams close in the background."""
        self.supervisor.paused = paused
        self._pause_wanted.set()

    async def run(self, post: Post) -> None:
        """Run until cancelled."""
        await self.bus.start()
        through = self.replay.posting(post)
        async with asyncio.TaskGroup() as group:
            group.create_task(EventBridge(self.bus, self.live, through, self._standing.refresh).run(), name="bridge")
            group.create_task(self._apart("replay", self.replay.run()), name="replay")
            group.create_task(self._apart("fleet", self._fleet()), name="fleet")
            group.create_task(self._apart("storage", self.storage.run()), name="storage")
            group.create_task(self._apart("alerts", self.alerts.run()), name="alerts")
            group.create_task(self._pausing(), name="pausing")
            group.create_task(tidy(), name="tidying")
            group.create_task(enlarge(), name="huge pages")
            group.create_task(self._standing.measure(), name="measuring")
            group.create_task(self._accepting(), name="accepting")
            if not self.world:
                group.create_task(self._apart("plugins", self._renewing()), name="plugins")
            for text in self._early:
                self._tell(text)

    async def _apart(self, lane: str, work: Coroutine[None, None, None]) -> None:
        """One lane's defect ends that lane alone, loudly: logged, and a standing line on the screen."""
        try:
            await work
        except Exception as exc:  # the boundary of a lane
            log.exception("lane ended", lane=lane)
            text = f"{lane} stopped by a defect of Jumpwatch ({type(exc).__name__}): quit and start again"
            self.live.set_standing(notices=(text,))
            self.bus.emit_nowait(Notice(source=lane, text=text, level="error"))

    async def stop(self) -> None:
        """Pollers first, then what they fed, the database, and last what was started for us."""
        try:
            await self.supervisor.stop(0.4)
            await self.storage.stop()
        finally:  # a stop that runs out of time must not leave the demo's fleet and files behind
            if self.world:
                await self.world.stop()
        await self.bus.stop(0.1)

    async def _fleet(self) -> None:
        seen: object = None
        while True:  # what a command or another console changed is taken up without a restart
            stamp = "demo" if self.world else await asyncio.to_thread(self._stamp)
            if stamp != seen:
                seen = stamp
                try:
                    hosts = await (self.world.start_fleet() if self.world else asyncio.to_thread(self._inventory))
                except InfrastructureException as exc:
                    self._inventory_fault(exc)
                else:
                    self._mended()
                    self._hold(hosts)
            elif self._hosts is not None:
                self._hold(self._listed)  # maintenance ends by itself
            await asyncio.sleep(_INVENTORY_S)

    def _hold(self, hosts: list[Host]) -> None:
        """Take the inventory's hosts as they are now."""
        self._listed = hosts
        now = self.clock.now()
        if (as_now := [host.at(now) for host in hosts]) != self._hosts:
            self._take(as_now)

    def _take(self, hosts: list[Host]) -> None:
        """Watch these hosts from now on."""
        self._hosts = hosts
        if self.storage.role is not PollerRole.VIEWER:  # a viewer shows the database's copy
            self.live.set_hosts(hosts)
        self.storage.set_hosts(hosts)
        self.supervisor.set_hosts(hosts)
        if not hosts:
            self._say("no hosts yet")

    def _inventory_fault(self, exc: InfrastructureException) -> None:
        """Say it once; the hosts known before are watched on."""
        self._say(exc.message)
        self.bus.emit_nowait(Notice(source="inventory", text=exc.message, level="error"))
        self.live.set_standing(notices=(exc.message,))
        self._fault = exc.message

    def _mended(self) -> None:
        """Take the standing line of an inventory that can be read again off the screen."""
        if self._fault and self.live.current().notices == (self._fault,):
            self.live.set_standing(notices=())
        self._fault = ""

    def _stamp(self) -> tuple[int, int] | str:
        """What tells one version of the inventory file from the next."""
        try:
            stat = self.settings.inventory_file.stat()
        except OSError as exc:
            return str(exc)
        return stat.st_mtime_ns, stat.st_size

    def _inventory(self) -> list[Host]:
        return list(Inventory.load(self.settings.inventory_file).hosts)

    async def _role(self, role: PollerRole, detail: str) -> None:
        """The lock came or went: poll, or look on."""
        self.live.set_standing(role=role, role_detail=detail)
        self.bus.emit_nowait(RoleChanged(source="storage", role=role, detail=detail))
        if role is PollerRole.POLLER:
            self.live.set_hosts(self._hosts or [])  # a viewer saw the database's copy
            self.supervisor.start()
        else:
            await self.supervisor.stop()

    async def _pausing(self) -> None:
        while True:
            await self._pause_wanted.wait()
            self._pause_wanted.clear()
            await self.supervisor.set_paused(self.supervisor.paused)

    def _tell(self, text: str) -> None:
        """Say what is wrong with a collector or check: as an event once the bus runs."""
        if self.bus.running:
            self.bus.emit_nowait(Notice(source="collectors", text=text, level="warning"))
        else:
            self._early.append(text)

    async def _accepting(self) -> None:
        """A key that a command, ssh or another console accepted lets its host in here as well."""
        while True:
            await asyncio.sleep(_INVENTORY_S)
            if settled := await self.keys.settled():
                self.wake_for_keys({review.host for review in settled})

    async def _renewing(self) -> None:
        """Plugins and checks are taken up as their files change."""
        async for extras in changed_extras(self.settings, _INVENTORY_S):
            self._choice.renew(extras)
            self.supervisor.renew_collectors()
            self._tell(f"plugins and checks read again: {len(extras.collectors)} and {len(extras.checks)}")
