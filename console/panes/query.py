"""The filter language of all lists: words, ``!word``, ``-f fuzzy``, ``cpu>80``, ``state:offline``, ``"a b"``. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
Keep = Callable[[T, datetime], bool]
Unit = Literal["number", "percent", "bytes", "seconds"]

_TOKEN = re.compile(r"\S*?\"[^\"]*\"?|\S+")
_NAMED = re.compile(r"(?P<name>[a-z][a-z_]*)(?P<sign>>=|<=|!=|>|<|=|:)(?P<value>.*)", re.DOTALL)
_FIGURE = re.compile(r"(-?\d{1,15}(?:\.\d{1,6})?)([a-z%]*)")
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
}
_BYTES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNITS: Mapping[Unit, Mapping[str, int]] = {
    "number": {"": 1, "k": 1000},
    "percent": {"": 1, "%": 1},
    "bytes": _BYTES,
    "seconds": _SECONDS,
}
_EXAMPLES: Mapping[Unit, str] = {"number": "3", "percent": "80", "bytes": "10m", "seconds": "5m"}
_MOST_VALUES, _MOST_SEEN = 200, 5000  # values offered, rows looked at for them


@dataclass(frozen=True, slots=True)
class Figure(Generic[T]):
    """A figure that can be compared; None is unknown and passes no comparison. ``moves``: it grows with the clock."""

    read: Callable[[T, datetime], float | None]
    unit: Unit = "number"
    moves: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary(Generic[T]):
    """What a list's rows can be filtered by: figures, texts, and the words that a plain word is looked for in."""

    figures: Mapping[str, Figure[T]]
    texts: Mapping[str, Callable[[T], Iterable[str]]]
    words: Callable[[T], Iterable[str]]

    @property
    def names(self) -> list[str]:
        """The fields as they are typed: ``cpu>``, ``state:``."""
        return [*(f"{name}:" for name in self.texts), *(f"{name}>" for name in self.figures)]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is not understood: where it stands, and the way out. An open one may yet become right as it is typed."""

    start: int
    text: str
    open: bool = False


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A filter that was read: what it keeps, what it does not understand, and whether time alone changes it."""

    text: str
    terms: tuple[Keep[T], ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    moves: bool = False

    def keeps(self, row: T, now: datetime) -> bool:
        """Whether the row passes every term."""
        return all(term(row, now) for term in self.terms)

    @property
    def fault(self) -> tuple[int, str] | None:
        """Where and why the first thing that cannot become right as it is typed is not understood."""
        return next(((each.start, each.text) for each in self.mistakes if not each.open), None)


@dataclass
class _Reading(Generic[T]):
    """The terms so far."""

    vocabulary: Vocabulary[T]
    terms: list[Keep[T]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    moves: bool = False

    def take(self, start: int, word: str, last: bool) -> None:
        """Read one term; ``last`` says that it stands at the end and may be typed on."""
        wanted = not (word.startswith("!") and len(word) > 1)
        bare = word if wanted else word[1:]
        if bare in ("!", '"'):
            return
        test = self._test(start + (not wanted), bare, last)
        if test is not _anything:
            self.terms.append(test if wanted or test is _nothing else _negated(test))

    def _test(self, start: int, word: str, last: bool) -> Keep[T]:
        named = None if word.startswith('"') else _NAMED.fullmatch(word)
        if named is None:
            return _plain(self.vocabulary.words, _unquoted(word))
        name, sign, value = named["name"], named["sign"], _unquoted(named["value"])
        if figure := self.vocabulary.figures.get(name):
            return self._compared(start, name, figure, sign, value, last)
        if texts := self.vocabulary.texts.get(name):
            return self._contained(start, name, texts, sign, named["value"], last)
        return self._wrong(start, f"there is no {name}{_guess(name, self.vocabulary)}")

    def _compared(self, start: int, name: str, figure: Figure[T], sign: str, value: str, last: bool) -> Keep[T]:
        if sign == ":":
            return self._wrong(start, f"{name} is a figure: {name}>{_EXAMPLES[figure.unit]}")
        if not value and last:
            return self._open(start + len(name) + len(sign), f"a figure, such as {name}{sign}{_EXAMPLES[figure.unit]}")
        read = _FIGURE.fullmatch(value)
        units = _UNITS[figure.unit]
        if read is None or read[2] not in units:
            known = " ".join(unit for unit in units if unit)
            way = f"a figure{f' with {known}' if known else ''}, such as {name}{sign}{_EXAMPLES[figure.unit]}"
            return self._wrong(start + len(name) + len(sign), f"{value or 'nothing'!r} is no figure: write {way}")
        bound, holds = float(read[1]) * units[read[2]], _SIGNS[sign]
        self.moves = self.moves or figure.moves

        def test(row: T, now: datetime) -> bool:
            found = figure.read(row, now)
            return found is not None and holds(found, bound)

        return test

    def _contained(
        self,
        start: int,
        name: str,
        texts: Callable[[T], Iterable[str]],
        sign: str,
        raw: str,
        last: bool,
    ) -> Keep[T]:
        value = _unquoted(raw)
        if sign not in (":", "=", "!="):
            return self._wrong(start, f"{name} is a text: {name}:WORD, or {name}=WORD for all of it")
        if not value:
            place, text = start + len(name) + len(sign), f"a word after {name}{sign}"
            return self._open(place, text) if last else self._wrong(place, f"{text} is missing")
        wanted = (value,) if '"' in raw else tuple(part for part in value.split(",") if part)
        whole = sign != ":"

        def test(row: T, now: datetime) -> bool:
            found = [each.lower() for each in texts(row)]
            return any(one == each if whole else one in each for each in found for one in wanted)

        return _negated(test) if sign == "!=" else test

    def _open(self, start: int, text: str) -> Keep[T]:
        self.mistakes.append(Mistake(start, text, open=True))
        return _anything

    def _wrong(self, start: int, text: str) -> Keep[T]:
        self.mistakes.append(Mistake(start, text))
        return _nothing


def parse(text: str, vocabulary: Vocabulary[T]) -> Query[T]:
    """Return the filter. A term not understood keeps no row; an unfinished one at the end does not count yet."""
    reading = _Reading(vocabulary)
    tokens = [(found.start(), found[0].lower()) for found in _TOKEN.finditer(text)]
    ends = bool(text) and not text[-1].isspace()
    place = 0
    while place < len(tokens):
        start, word = tokens[place]
        place += 1
        last = ends and place == len(tokens)
        if word != "-f":
            reading.take(start, word, last)
        elif place < len(tokens):
            reading.terms.append(_fuzzy(vocabulary.words, _unquoted(tokens[place][1])))
            place += 1
        else:
            reading.mistakes.append(Mistake(start + 2, "letters after -f, in their order: -f wb1 finds web-01", True))
    return Query(text, tuple(reading.terms), tuple(reading.mistakes), reading.moves)


def complete(text: str, vocabulary: Vocabulary[T], rows: Sequence[T]) -> list[str]:
    """Return what the last word may become: names of fields, or the values that the rows have, best first."""
    at = max((found.start() for found in _TOKEN.finditer(text)), default=len(text))
    if not text or text[-1].isspace():
        return []
    word = text[at:].lower()
    sign = "!" if word.startswith("!") else ""
    bare = word.removeprefix("!")
    name, mark, rest = bare.partition(":")
    if mark and (read := vocabulary.texts.get(name)):
        head, _, part = rest.rpartition(",")
        values = _values(read, rows, part.lstrip('"'))
        return [f"{sign}{name}:{head}{',' if head else ''}{_quoted(value)}" for value in values if value != part]
    if not bare or mark:
        return []
    return [sign + each for each in vocabulary.names if each.startswith(bare) and each != bare]


def _values(read: Callable[[T], Iterable[str]], rows: Sequence[T], part: str) -> list[str]:
    found: dict[str, None] = {}
    for row in rows[:_MOST_SEEN]:
        for value in read(row):
            if part in (low := value.lower()) and low:
                found[low] = None
        if len(found) >= _MOST_VALUES:
            break
    return sorted(found, key=lambda value: (not value.startswith(part), value))


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"[\s,]", value) else value


def _unquoted(word: str) -> str:
    return word.replace('"', "")


def _negated(test: Keep[T]) -> Keep[T]:
    return lambda row, now: not test(row, now)


def _nothing(row: object, now: datetime) -> bool:
    return False


def _anything(row: object, now: datetime) -> bool:
    return True


def _plain(words: Callable[[T], Iterable[str]], wanted: str) -> Keep[T]:
    return lambda row, now: any(wanted in word.lower() for word in words(row))


def _fuzzy(words: Callable[[T], Iterable[str]], wanted: str) -> Keep[T]:
    """The letters in their order, with anything in between."""

    def within(text: str) -> bool:
        letters = iter(text)
        return all(letter in letters for letter in wanted)

    return lambda row, now: any(within(word.lower()) for word in words(row))


def _guess(name: str, vocabulary: Vocabulary[T]) -> str:
    known = [*vocabulary.figures, *vocabulary.texts]
    near = get_close_matches(name, known, 1, 0.6)
    return f": {near[0]}?" if near else f": {', '.join(known)}"
