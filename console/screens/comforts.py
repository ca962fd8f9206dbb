"""What makes the main screen easy: command line, layout that comes back, themes, keys bound anew, news, the guide."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual.binding import ActiveBinding, Binding, BindingType
from textual.widgets import Input

from console.formatting import clean
from console.screens.requests import Requests
from console.work import work
from core.exceptions import InfrastructureException
from core.models import PollerRole

if TYPE_CHECKING:
    from console.screens.commands import Command
    from console.widgets.commandbar import CommandBar
    from core.models.console import ConsoleOptions, Memory

AWAY = timedelta(minutes=5)
"""So long without the terminal's focus counts as having been away."""
_SAVE_EVERY = 30  # ticks of a second


class Comforts(Requests):
    """The part of the main screen between requests and panes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("colon", "command", "command", key_display=":", id="main.command"),
        Binding("i", "changes", "what changed since you left", show=False, id="main.changes"),
    ]

    def __init__(self, services: Any) -> None:
        super().__init__(services)
        self._utc = True
        self._options: ConsoleOptions | None = None
        self._memory: Memory | None = None
        self._history: list[str] = []
        self._live: tuple[ActiveBinding, ...] = ()
        self._theme_by_hand = ""
        self._since: datetime | None = None  # news are told from here on
        self._left_focus: datetime | None = None
        self._ticks = 0
        self._greeting = False  # due once the start is over

    @property
    def shown(self) -> str:
        """The name of the pane shown."""
        raise NotImplementedError

    async def action_pane(self, name: str) -> None:
        """Show the pane of that name."""
        raise NotImplementedError

    # The command line.
    def commands(self) -> list[Command]:
        """Return all commands: the table, and what the live keys do."""
        from console.screens.commands import live_commands, table

        always = table()
        taken = {name for each in always for name in each.names}
        return [*always, *live_commands(self._live or tuple(self.active_bindings.values()), taken)]

    async def action_command(self) -> None:
        self._live = tuple(self.active_bindings.values())
        await self._show_bar("")

    def open_command_bar(self, text: str = "") -> None:
        """Open the command line with that text, as the palette does for what wants an argument."""
        self._live = tuple(self.active_bindings.values())
        self.run_worker(work(self._show_bar, text), group="command", exclusive=True)

    def run_line(self, text: str) -> None:
        """Run one command line."""
        self.run_worker(work(self._run_line, text), group="command", exclusive=True)

    async def _show_bar(self, text: str) -> None:
        from console.screens.commands import completions
        from console.widgets.commandbar import CommandBar

        bars = self.query(CommandBar)
        if bars:
            bar: CommandBar = bars.first()
        else:
            bar = CommandBar(lambda line: completions(self, line.lstrip(":"), self.commands()), self._history)
            await self.mount(bar, before="#hints")
        bar.open(text)

    async def on_command_bar_done(self, message: CommandBar.Done) -> None:
        from console.widgets.commandbar import CommandBar

        message.stop()
        if message.text and (told := await self._run_command(message.text)):
            self.query_one(CommandBar).say(f"▲ {told}")
            return
        self.query_one(CommandBar).close()
        if not isinstance(self.focused, Input) or self.focused.id == "command-text":
            self.pane.focus_main()
        self._live = ()

    async def _run_line(self, text: str) -> None:
        if told := await self._run_command(text):
            self.notify(clean(told), severity="warning", timeout=5, markup=False)

    async def _run_command(self, text: str) -> str | None:
        from console.screens.commands import find, unknown

        name, _, rest = text.strip().lstrip(":").partition(" ")
        commands = self.commands()
        command = find(name, commands)
        if command is None:
            return unknown(name, commands)
        try:
            return await command.run(self, rest.strip())
        except InfrastructureException as error:
            return error.message

    async def run_live(self, name: str) -> str | None:
        """Run what a live key of that name does, or say that there is none here."""
        from console.screens.commands import live_commands

        found = live_commands(self._live or tuple(self.active_bindings.values()), ())
        command = next((each for each in found if name in each.names), None)
        return f"{name} is not to be had on this pane" if command is None else await command.run(self, "")

    async def filter_pane(self, text: str) -> str | None:
        """Put a filter on the pane shown, as / does."""
        from console.widgets.filterbar import FilterBar

        opener = getattr(self.pane, "action_filter", None)
        if opener is None:
            return "this pane has no filter"
        await opener()
        bar = self.pane.query_one(FilterBar)
        bar.query_one(Input).value = text
        if not text:
            bar.action_clear()
        self.pane.focus_main()
        return None

    # Clock and theme.
    def set_clock(self, utc: bool) -> None:
        """Show moments in UTC or in local time."""
        self._utc = utc
        self.pane.set_clock(utc)
        self._tick()

    def choose_theme(self, name: str) -> str | None:
        """Take a theme by hand; it is remembered. ``auto`` goes back to what settings and terminal say."""
        self._theme_by_hand = "" if name == "auto" else name
        self._dress()
        return None

    def _dress(self) -> None:
        wished = self._options.theme if self._options else "auto"
        self.app.dress(self._theme_by_hand or wished, self._options.glyphs if self._options else "auto")  # type: ignore[attr-defined]

    # Settings and memory, once they are read and whenever they change.
    def follow_options(self) -> None:
        """Take up the settings when they are there, and each time they change; called once a second."""
        self._ticks += 1
        options = self.services.options
        if options is not None and options is not self._options:
            before, self._options = self._options, options
            if before is None:
                self._recall(self.services.memory)
            elif before.theme != options.theme:
                self._theme_by_hand = ""  # who writes a theme into the file means that one
            self._dress()
            self._bind(options)
            if options.remark:
                level: Literal["error", "information"] = "error" if options.refused else "information"
                self.notify(clean(options.remark), severity=level, timeout=8, markup=False)
            if before is not None and before.interval_s != options.interval_s:
                self._interval.clear()
        if self._options is not None and self._ticks % _SAVE_EVERY == 0:
            self.services.remember(self.remembered())
        if self._greeting and self.services.view.role is not PollerRole.STARTING:
            self._greeting = False
            self.run_worker(work(self._greet), group="news")

    def _bind(self, options: ConsoleOptions) -> None:
        if not options.keys:
            self.app.set_keymap({})
            return
        from console.screens.keymap import bindings, make_keymap

        keymap = make_keymap(options.keys, bindings())
        self.app.set_keymap(keymap.keys)
        for problem in keymap.problems[:3]:
            self.notify(problem, title="A key is not bound", severity="warning", timeout=12, markup=False)

    def _recall(self, memory: Memory | None) -> None:
        if memory is None:
            return
        self._memory, self._greeting = memory, True
        self._history[:0] = memory.commands
        self._theme_by_hand = memory.theme
        self._since = memory.left_at
        self.set_clock(memory.utc)
        self.run_worker(work(self._recall_panes, memory), group="recall")

    async def _recall_panes(self, memory: Memory) -> None:
        from console.screens.tabs import TABS

        if self.shown == "fleet" and memory.pane in {tab.name for tab in TABS}:
            await self.action_pane(memory.pane)
        for pane in self.query("Pane"):
            if layout := memory.panes.get(pane.id or ""):
                await pane.recall(layout)  # type: ignore[attr-defined]
        self.pane.focus_main()

    async def _greet(self) -> None:
        """What is told once at the start: the guide on the very first, else what happened meanwhile."""
        memory = self._memory
        if memory is not None and not memory.guided and not self.services.view.hosts:
            await self.action_guide()
        elif self._since is not None:
            await self._tell_changes()

    def remembered(self) -> Memory:
        """Return what the next console is to know of this one."""
        from core.models.console import Memory

        panes = {**(self._memory.panes if self._memory else {})}
        for pane in self.query("Pane"):
            if pane.id:
                panes[pane.id] = pane.to_remember()  # type: ignore[attr-defined]
        self._memory = replace(
            self._memory or Memory(),
            pane=self.shown,
            panes=panes,
            theme=self._theme_by_hand,
            utc=self._utc,
            commands=tuple(self._history[-100:]),
            left_at=datetime.now(UTC),
        )
        return self._memory

    # News.
    async def action_changes(self) -> None:
        from console.screens.changes import ChangesScreen

        since = self._since or datetime.now(UTC) - timedelta(hours=24)
        await self.app.push_screen(ChangesScreen(self.services, since, self._utc), self._opened)

    def _opened(self, host: str | None) -> None:
        from console.messages import HostWanted

        if host:
            self.post_message(HostWanted(host))

    async def _tell_changes(self) -> None:
        from console.screens.changes import headline

        assert self._since is not None
        try:
            changes = await self.services.changes_since(self._since)
        except InfrastructureException:
            return  # the status line says how the database is
        if not changes.none:
            self.notify(headline(changes), timeout=8, markup=False)

    def looked_away(self) -> None:
        """The terminal lost the focus."""
        self._left_focus = datetime.now(UTC)

    def looked_back(self) -> None:
        """The terminal has the focus again: say what changed, where the absence was long."""
        left, self._left_focus = self._left_focus, None
        if left is not None and datetime.now(UTC) - left >= AWAY:
            self._since = left
            self.run_worker(work(self._tell_changes), group="news", exclusive=True)

    async def action_guide(self) -> None:
        from console.screens.guide import Guide

        if self._memory is not None:
            self._memory = replace(self._memory, guided=True)
        await self.app.push_screen(Guide(self.services, self))
