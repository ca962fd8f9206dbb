"""What a pane over the fleet lists: rows made of each host's findings, kept between views, sorted, filtered. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from console.panes.hostfilter import HOSTS
from console.panes.query import Figure, Query, Vocabulary, parse
from core.models import SectionStatus

if TYPE_CHECKING:
    from console.widgets.columns import Column, SortKey
    from core.models import HostView

V = TypeVar("V")


class Key(NamedTuple):
    """Which row: the cursor and the marks stay with it through every refresh and sort."""

    host: str
    item: str


@dataclass(frozen=True, slots=True)
class Row(Generic[V]):
    """One container, unit, filesystem ... of one host; level 0 is fine, 1 a warning, 2 bad."""

    host: str
    item: str
    value: V
    ts: datetime  # when it was read
    level: int = 0
    weight: float = 0.0  # the worse of two rows of one level has more
    state: str = ""  # in a word

    @property
    def key(self) -> Key:
        """Its identity."""
        return Key(self.host, self.item)


class Seen(NamedTuple):
    """What a filter looks at: a row and its host."""

    row: Row[Any]
    view: HostView


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host said when it was asked for such rows: where they come from, and how that went."""

    status: SectionStatus | None  # None: nobody asked yet, or the host never answered
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Listing(Generic[V]):
    """One list: where its rows come from, its columns, what it is filtered by, and how it speaks of itself."""

    name: str
    one: str
    many: str
    lacks: str  # "docker or podman": what a host that has none of it is without
    way: str  # how to allow it, or to get it
    every_s: float  # between two looks: older data is marked
    source: Callable[[HostView], object]  # the very object that the rows are made of: the same one, the same rows
    ask: Callable[[HostView], Answer]
    rows: Callable[[HostView], Iterable[Row[V]]]
    columns: tuple[Column[Row[V]], ...]
    words: Vocabulary[Seen]
    past: str = ""  # the kind of item whose figures are kept: its last looks stand below the list


def vocabulary(
    figures: Mapping[str, Figure[Row[Any]]],
    texts: Mapping[str, Callable[[Row[Any]], Iterable[str]]],
    words: Callable[[Row[Any]], Iterable[str]],
) -> Vocabulary[Seen]:
    """Return the fields of such rows together with those of their hosts; ``age`` is that of the row's own data."""
    mine: dict[str, Figure[Seen]] = {
        "age": Figure(lambda seen, now: (now - seen.row.ts).total_seconds(), "seconds", moves=True),
        "level": Figure(lambda seen, now: float(seen.row.level)),
    }
    for name, figure in figures.items():
        mine[name] = Figure(_of_row(figure), figure.unit, figure.moves)
    for name, theirs in HOSTS.figures.items():
        mine.setdefault(name, Figure(_of_host(theirs), theirs.unit, theirs.moves))
    said: dict[str, Callable[[Seen], Iterable[str]]] = {name: _text_of_row(read) for name, read in texts.items()}
    said["is"] = lambda seen: (seen.row.state, ("ok", "warning", "bad")[seen.row.level])
    for name, read in HOSTS.texts.items():
        said.setdefault(name, _text_of_host(read))
    return Vocabulary(mine, said, lambda seen: (seen.row.host, seen.row.state, *words(seen.row)))


def _of_row(figure: Figure[Row[Any]]) -> Callable[[Seen, datetime], float | None]:
    return lambda seen, now: figure.read(seen.row, now)


def _of_host(figure: Figure[HostView]) -> Callable[[Seen, datetime], float | None]:
    return lambda seen, now: figure.read(seen.view, now)


def _text_of_row(read: Callable[[Row[Any]], Iterable[str]]) -> Callable[[Seen], Iterable[str]]:
    return lambda seen: read(seen.row)


def _text_of_host(read: Callable[[HostView], Iterable[str]]) -> Callable[[Seen], Iterable[str]]:
    return lambda seen: read(seen.view)


def finding_of(kind: str) -> Callable[[HostView], object]:
    """Return the finding that such rows are made of."""
    return lambda view: view.findings.get(kind)


def answer_of(kind: str) -> Callable[[HostView], Answer]:
    """Return how a host answered that collector."""

    def ask(view: HostView) -> Answer:
        found = view.findings.get(kind)
        if found is None:
            return Answer(None)
        return Answer(found.finding.status, found.finding.detail)

    return ask


@dataclass(slots=True)
class _Kept:
    source: object
    version: int
    answer: Answer
    rows: list[Row[Any]]
    keys: list[Key]
    keyed: list[tuple[SortKey, Key]]

    @property
    def told(self) -> tuple[Answer, bool]:
        """What the coverage counts of it."""
        return self.answer, bool(self.rows)


@dataclass(slots=True)
class Coverage:
    """How many hosts have such rows, have none, lack it, refuse, failed, and were not asked yet."""

    hosts: int = 0
    having: int = 0
    empty: int = 0
    absent: list[str] = field(default_factory=list)
    forbidden: list[tuple[str, str]] = field(default_factory=list)  # host, and what it said
    failed: list[tuple[str, str]] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)

    def take(self, host: str, answer: Answer, rows: int) -> None:
        """Count one host's answer."""
        self.hosts += 1
        if answer.status is SectionStatus.OK:
            self.having += rows > 0
            self.empty += rows == 0
        elif answer.status is None:
            self.unasked.append(host)
        elif answer.status is SectionStatus.ABSENT:
            self.absent.append(host)
        elif answer.status is SectionStatus.FORBIDDEN:
            self.forbidden.append((host, answer.detail))
        else:
            self.failed.append((host, answer.detail or answer.status.value))


class Rows:
    """The rows of one listing over the views; a host whose data did not change costs a look-up."""

    def __init__(self, listing: Listing[Any]) -> None:
        self.listing = listing
        self.column: Column[Row[Any]] = listing.columns[0]
        self.backwards = False
        self.query: Query[Seen] = Query("")
        self.items: dict[Key, Row[Any]] = {}
        self.coverage = Coverage()
        self.worst = [0, 0, 0]  # rows of each level
        self._kept: dict[str, _Kept] = {}
        self._order: list[Key] = []
        self._views: dict[str, HostView] = {}

    def sort(self, column: Column[Row[Any]], backwards: bool) -> None:
        """Sort by another column from the next view on."""
        self.column, self.backwards = column, backwards
        self._forget()

    def filter(self, text: str) -> None:
        """Take another filter from the next view on."""
        self.query = parse(text, self.listing.words)
        self._forget()

    def _forget(self) -> None:
        for kept in self._kept.values():
            kept.version = -1

    def seen(self) -> list[Seen]:
        """Return every row with its host, filtered or not: what values there are to complete."""
        return [Seen(row, self._views[host]) for host, kept in self._kept.items() for row in kept.rows]

    def view_of(self, host: str) -> HostView | None:
        """Return the host's newest view."""
        return self._views.get(host)

    def take(self, hosts: Sequence[HostView], now: datetime) -> list[Key]:
        """Take a newer view and return the keys of the rows kept, in order."""
        listing, changed = self.listing, len(hosts) != len(self._kept)
        recount, filtered = changed, bool(self.query.terms)
        for view in hosts:
            name, source = view.host.name, listing.source(view)
            kept = self._kept.get(name)
            if kept is None or kept.source is not source:
                before = None if kept is None else kept.told
                kept = self._replace(view, source)
                recount = recount or kept.told != before
            if kept.version < 0 or (filtered and (kept.version != view.version or self.query.moves)):
                kept.version, changed = view.version, True
                kept.keyed = self._keyed(kept, view, now)
        self._views = {view.host.name: view for view in hosts}
        if changed:
            self._settle()
        if recount:
            self.coverage = Coverage()
            for view in hosts:
                kept = self._kept[view.host.name]
                self.coverage.take(view.host.name, kept.answer, len(kept.rows))
        return self._order

    def _replace(self, view: HostView, source: object) -> _Kept:
        """Take the newer rows of one host in the place of its older ones."""
        host, rows = view.host.name, list(self.listing.rows(view))
        self._drop(host)
        kept = _Kept(source, -1, self.listing.ask(view), rows, [row.key for row in rows], [])
        self._kept[host] = kept
        for key, row in zip(kept.keys, rows, strict=True):
            self.items[key] = row
            self.worst[row.level] += 1
        return kept

    def _drop(self, host: str) -> None:
        if (kept := self._kept.pop(host, None)) is not None:
            for key, row in zip(kept.keys, kept.rows, strict=True):
                self.items.pop(key, None)
                self.worst[row.level] -= 1

    def _keyed(self, kept: _Kept, view: HostView, now: datetime) -> list[tuple[SortKey, Key]]:
        query, column, backwards = self.query, self.column, self.backwards
        pairs = zip(kept.rows, kept.keys, strict=True)
        if query.terms:
            return [(column.key(row, backwards), key) for row, key in pairs if query.keeps(Seen(row, view), now)]
        return [(column.key(row, backwards), key) for row, key in pairs]

    def _settle(self) -> None:
        """Let go of hosts that went, and sort anew."""
        for gone in self._kept.keys() - self._views.keys():
            self._drop(gone)
        keyed = [pair for kept in self._kept.values() for pair in kept.keyed]
        keyed.sort(reverse=self.column.reversed(self.backwards))
        self._order = [key for _sort, key in keyed]

    @property
    def total(self) -> int:
        """Rows without a filter."""
        return len(self.items)
