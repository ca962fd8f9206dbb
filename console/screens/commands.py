"""The commands of the console: one table for the command line, the palette and their completion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.formatting import clean, nearest
from console.messages import HostWanted, MaintenanceWanted, PollWanted
from console.screens.tabs import TABS
from console.widgets.themes import NAMES as THEMES

if TYPE_CHECKING:
    from textual.binding import ActiveBinding

    from console.screens.comforts import Comforts

Run = Callable[["Comforts", str], Awaitable[str | None]]
"""Does it; returns what is wrong, in words, or None."""
Words = Callable[["Comforts"], Iterable[str]]


def _no_words(screen: Comforts) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its names (the first is the one shown), what follows it, what it does."""

    names: tuple[str, ...]
    what: str
    run: Run
    wants: str = ""  # the argument in words; empty: it takes none; in brackets: it may be left out
    words: Words = _no_words  # what the argument may be, for completion

    @property
    def usage(self) -> str:
        """How it is written."""
        return f"{self.names[0]} {self.wants}".strip()


def hosts(screen: Comforts) -> Iterable[str]:
    """The hosts' names."""
    return (each.host.name for each in screen.services.view.hosts)


async def _host(screen: Comforts, text: str) -> str | None:
    if not text:
        await screen.action_pane("host")
        return None
    names = list(hosts(screen))
    found = text if text in names else next((n for n in names if n.startswith(text)), None)
    if found is None:
        return f"no host {clean(text, 60)}{_nearest(text, names)}"
    screen.post_message(HostWanted(found))
    return None


async def _filter(screen: Comforts, text: str) -> str | None:
    return await screen.filter_pane(text)


async def _theme(screen: Comforts, text: str) -> str | None:
    if text not in (*THEMES, "auto"):
        return f"no theme {clean(text, 40)}: {', '.join(THEMES)} or auto"
    return screen.choose_theme(text)


async def _interval(screen: Comforts, text: str) -> str | None:
    seconds, _, host = text.partition(" ")
    try:
        wanted = float(seconds.removesuffix("s"))
    except ValueError:
        return "interval wants seconds: interval 5, or interval 5 web-01"
    if not 1 <= wanted <= 3600:
        return f"interval {wanted:g} is not from 1 to 3600 seconds"
    if host and host not in set(hosts(screen)):
        return f"no host {clean(host, 60)}{_nearest(host, list(hosts(screen)))}"
    screen.services.set_interval(host or None, wanted)
    screen.notify(f"{clean(host) or 'all hosts'}: every {wanted:g} s", timeout=3, markup=False)
    return None


async def _maintenance(screen: Comforts, text: str) -> str | None:
    known = set(hosts(screen))
    if text:
        wanted = tuple(text.split())
        if missing := [name for name in wanted if name not in known]:
            return f"no host {clean(missing[0], 60)}{_nearest(missing[0], list(known))}"
        screen.post_message(MaintenanceWanted(wanted))
        return None
    return await screen.run_live("maintenance")


async def _poll(screen: Comforts, text: str) -> str | None:
    if text and text not in set(hosts(screen)):
        return f"no host {clean(text, 60)}{_nearest(text, list(hosts(screen)))}"
    screen.post_message(PollWanted(text or None))
    return None


def _act(action: str) -> Run:
    async def run(screen: Comforts, text: str) -> str | None:
        await screen.run_action(action)
        return None

    return run


def _clock(utc: bool) -> Run:
    async def run(screen: Comforts, text: str) -> str | None:
        screen.set_clock(utc)
        return None

    return run


def _tab(name: str) -> Run:
    async def run(screen: Comforts, text: str) -> str | None:
        await screen.action_pane(name)
        return None

    return run


_ALIASES = {"fleet": ("hosts", "f"), "database": ("db",), "containers": ("ct", "docker"), "services": ("units",),
            "storage": ("disks",), "proxies": ("swag",), "alerts": ("al",), "events": ("ev", "log")}  # fmt: skip
_NO_TAB = ("host",)  # has a command of its own


def table() -> tuple[Command, ...]:
    """Return every command that is always there."""
    tabs = tuple(
        Command((tab.name, *_ALIASES.get(tab.name, ())), f"show {tab.title}", _tab(tab.name))
        for tab in TABS
        if tab.name not in _NO_TAB
    )
    return (
        *tabs,
        Command(("host", "h"), "show one host", _host, "[NAME]", hosts),
        Command(("filter", "grep"), "filter the pane shown; nothing clears it", _filter, "[WORDS]"),
        Command(("theme",), "colours", _theme, "NAME", lambda _screen: (*THEMES, "auto")),
        Command(("interval", "every"), "poll at this interval", _interval, "SECONDS [HOST]"),
        Command(("pause",), "pause polling, or go on", _act("pause")),
        Command(("maintenance", "maint"), "maintenance on or off", _maintenance, "[HOST ...]", hosts),
        Command(("poll",), "poll now", _poll, "[HOST]", hosts),
        Command(("utc",), "show moments in UTC", _clock(True)),
        Command(("local",), "show moments in local time", _clock(False)),
        Command(("write", "unlock", "rw"), "leave read-only, or return to it", _act("unlock")),
        Command(("keys", "hostkeys"), "host keys that wait for review", _act("review")),
        Command(("logins", "secrets"), "logins that ask", _act("secrets")),
        Command(("changes", "news"), "what changed since you left", _act("changes")),
        Command(("guide", "tour"), "the three steps of the first start", _act("guide")),
        Command(("help", "bindings"), "the keys that are live here", _act("help")),
        Command(("back",), "one step back", _act("back")),
        Command(("q", "quit", "exit"), "quit, after a question", _act("app.leave")),
        Command(("q!", "quit!"), "quit at once", _act("app.leave_now")),
    )


def live_commands(live: Sequence[ActiveBinding], taken: Iterable[str]) -> tuple[Command, ...]:
    """Return what the keys live at the moment do, as commands named by their binding's id: rows.sort is ``sort``."""
    names = set(taken)
    found: dict[str, Command] = {}
    for each in live:
        scope, _, name = (each.binding.id or "").partition(".")
        wanted = scope not in ("list", "sheet", "tab", "app", "command") and bool(name)
        if each.enabled and wanted and name not in names and name not in found:
            found[name] = Command((name,), each.tooltip or each.binding.description, _binding(each))
    return tuple(found.values())


def _binding(each: ActiveBinding) -> Run:
    async def run(screen: Comforts, text: str) -> str | None:
        # Words are handed on where the action takes any: `export hosts.csv`.
        taker: Any = getattr(each.node, f"command_{each.binding.action.partition('(')[0]}", None)
        if text and taker is None:
            return f"{(each.binding.id or '').partition('.')[2]} takes no words"
        if text:
            answer: str | None = await taker(text)
            return answer
        await screen.app.run_action(each.binding.action, default_namespace=each.node)
        return None

    return run


def find(name: str, commands: Sequence[Command]) -> Command | None:
    """Return the command of that name, or the only one that begins so."""
    exact = next((each for each in commands if name in each.names), None)
    if exact is not None:
        return exact
    begun = [each for each in commands if any(word.startswith(name) for word in each.names)]
    return begun[0] if len(begun) == 1 else None


def unknown(name: str, commands: Sequence[Command]) -> str:
    """Say that there is no such command, and the nearest one."""
    return f"no command {clean(name, 40)}{_nearest(name, [word for each in commands for word in each.names])}"


def completions(screen: Comforts, text: str, commands: Sequence[Command]) -> list[str]:
    """Return the whole lines that the text may become, best first."""
    name, blank, rest = text.partition(" ")
    if not blank:
        first = [each.names[0] for each in commands if each.names[0].startswith(name)]
        others = [w for each in commands for w in each.names[1:] if name and w.startswith(name)]
        return list(dict.fromkeys(first + others))
    command = find(name, commands)
    if command is None:
        return []
    head, last = rest.rpartition(" ")[0], rest.rpartition(" ")[2]
    lead = f"{name} {head} " if head else f"{name} "
    words = list(command.words(screen))
    begun = [w for w in words if w.startswith(last)]
    within = [w for w in words if last and last in w and not w.startswith(last)]
    return [lead + w for w in (*begun, *within)]


def _nearest(word: str, words: Sequence[str]) -> str:
    close = nearest(word, words)
    return f"; the nearest is {clean(close, 60)}" if close else ""
