"""A rule: a figure, its bounds, how long it must last, and where it holds; and which rules a host has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from core.alerts.figures import FIGURES, Figure
from core.alerts.words import figure_words, span_words

if TYPE_CHECKING:
    from core.models import Host, Level


@dataclass(frozen=True, slots=True)
class Rule:
    """When something is an alert. Bounds are in the figure's unit, spans in seconds of watching.

    Without hosts, groups and tags it holds everywhere, else where any of them fits.
    """

    name: str
    figure: str
    title: str = ""
    info: float | None = None
    warning: float | None = None
    error: float | None = None
    below: bool = False  # trouble is below the bounds, not above them
    slack: float = 0.0  # how far back past a bound the figure must be to be over
    for_s: float = 0.0
    clear_s: float = 0.0
    over_s: float = 0.0  # what counts is the growth within so long; a counter that was reset has not grown
    samples: int = 2  # readings in a row at the least: one spike is no trouble
    items: tuple[str, ...] = ()  # patterns of mounts, units ...; none: all
    skip: tuple[str, ...] = ()  # patterns of those left out
    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    on: bool = True
    advice: str = ""
    first: float = field(init=False, repr=False, compare=False, default=0.0)  # the mildest bound

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.info, self.warning, self.error) if bound is not None]
        object.__setattr__(self, "first", (max if self.below else min)(bounds, default=float("inf")))

    def fine(self, value: float) -> bool:
        """Whether a value passes no bound; quick, for most of them do not."""
        return value >= self.first if self.below else value < self.first

    @property
    def about(self) -> Figure:
        """The figure it looks at."""
        return FIGURES[self.figure]

    def holds_for(self, host: Host | None) -> bool:
        """Whether it is for that host; None is Jumpwatch itself."""
        if not (self.hosts or self.groups or self.tags):
            return True
        if host is None:
            return False
        return (
            any(fnmatchcase(host.name, pattern) for pattern in self.hosts)
            or not {*self.groups}.isdisjoint(host.groups)
            or not {*self.tags}.isdisjoint(host.tags)
        )

    def wants(self, item: str) -> bool:
        """Whether it looks at that item."""
        if self.items and not any(fnmatchcase(item, pattern) for pattern in self.items):
            return False
        return not any(fnmatchcase(item, pattern) for pattern in self.skip)

    def level(self, value: float, open_level: Level | None = None) -> Level | None:
        """Return how bad a value is; what is open stays so until the value is past the bound by the slack."""
        levels: tuple[tuple[Level, float | None], ...] = (
            ("error", self.error),
            ("warning", self.warning),
            ("info", self.info),
        )
        held = False
        for level, bound in levels:
            held = held or level == open_level
            if bound is None:
                continue
            slack = self.slack if held else 0.0
            if (value < bound + slack) if self.below else (value >= bound - slack):
                return level
        return None

    def limit_words(self, level: Level) -> str:
        """Return a bound in words: "from 90%, for 1 min"."""
        bound = {"error": self.error, "warning": self.warning, "info": self.info}[level]
        figure = self.about
        words = []
        if bound is not None and figure.unit != "state":
            words.append(f"{'under' if self.below else 'from'} {figure_words(bound, figure.unit)}")
        if self.over_s:
            words.append(f"within {span_words(self.over_s)}")
        if self.for_s:
            words.append(f"for {span_words(self.for_s)}")
        return ", ".join(words) or "as soon as it is seen"


class RuleSet:
    """All rules, in the order of their names' first mention; of several of one name the last that fits a host holds."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_name: dict[str, list[Rule]] = {}
        for rule in rules:
            self._by_name.setdefault(rule.name, []).append(rule)

    def of(self, host: Host | None) -> Sequence[Rule]:
        """Return the rules of a host; None: those on Jumpwatch itself."""
        found = []
        for variants in self._by_name.values():
            fitting = [rule for rule in variants if rule.holds_for(host)]
            if fitting and fitting[-1].on:
                found.append(fitting[-1])
        return found

    def every(self) -> Iterable[Rule]:
        """Return one rule of each name, the default where there is one."""
        return [variants[0] for variants in self._by_name.values()]
