"""The palette (ctrl+p): the table of commands, what the live keys do, and the hosts, found by a few letters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from console.formatting import clean
from console.screens.comforts import Comforts

_MOST_HOSTS = 2000


class Commands(Provider):
    """Hits from the table that the command line uses too."""

    @property
    def main(self) -> Comforts | None:
        """The main screen, where the palette was called on it."""
        return self.screen if isinstance(self.screen, Comforts) else None

    def _rows(self, main: Comforts) -> list[tuple[str, str, Callable[[], None]]]:
        rows: list[tuple[str, str, Callable[[], None]]] = []
        for command in main.commands():
            line = command.names[0]
            wants = command.wants and not command.wants.startswith("[")
            ask = partial(main.open_command_bar, line + " ") if wants else partial(main.run_line, line)
            rows.append((command.usage, command.what, ask))
        for each in main.services.view.hosts[:_MOST_HOSTS]:
            name = each.host.name
            rows.append((f"host {clean(name)}", each.state.value, partial(main.run_line, f"host {name}")))
        return rows

    async def discover(self) -> Hits:
        """Everything, while nothing is typed."""
        if (main := self.main) is not None:
            for text, what, run in self._rows(main):
                yield DiscoveryHit(Content(text), run, text=text, help=what)

    async def search(self, query: str) -> Hits:
        """What matches."""
        main, matcher = self.main, self.matcher(query)
        if main is None:
            return
        for text, what, run in self._rows(main):
            if (score := max(matcher.match(text), 0.6 * matcher.match(what))) > 0:
                shown = Content(text) if "[" in text else matcher.highlight(text)
                yield Hit(score, shown, run, text=text, help=what)
