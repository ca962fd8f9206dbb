"""What the console keeps between two runs, how it is wanted to look, and what went on while nobody looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.models.enums import HostState


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """The settings that the screen itself reads; a new one takes the place of the old when a file changed."""

    theme: str = "auto"  # auto, dark, light, contrast, ansi, mono
    glyphs: str = "auto"  # auto, unicode, ascii
    bell: bool = False
    notify: str = "off"  # off, osc9, osc777
    notify_every_s: float = 10.0
    interval_s: float = 10.0
    keys: Mapping[str, str] = field(default_factory=dict)  # binding id to keys, as Textual writes them
    demo: bool = False
    remark: str = ""  # what the last change of the files came to, for the person
    refused: bool = False  # the files have a mistake: the settings before stay


@dataclass(frozen=True, slots=True)
class Memory:
    """What the console remembers of its last run; times are UTC."""

    pane: str = "fleet"
    panes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # sort and filter, by pane
    theme: str = ""  # chosen by hand; empty: as the settings say
    utc: bool = True
    commands: tuple[str, ...] = ()  # of the command line, newest last
    guided: bool = False  # the guide of the first run was seen
    left_at: datetime | None = None  # when the last console was left


@dataclass(frozen=True, slots=True)
class HostChange:
    """What became of one host over a while."""

    host: str
    before: HostState
    now: HostState
    times: int  # changes of state in all
    last: datetime
    detail: str = ""  # of the last change


@dataclass(frozen=True, slots=True)
class Changes:
    """What went on from ``since`` to ``until``; hosts that are worst now come first."""

    since: datetime
    until: datetime
    hosts: tuple[HostChange, ...] = ()
    notes: tuple[str, ...] = ()  # other news in words: new reviews, logins that ask, alerts
    cut: bool = False  # there were more changes than are read
    source: str = "the database"

    @property
    def none(self) -> bool:
        """Whether nothing is told."""
        return not self.hosts and not self.notes
