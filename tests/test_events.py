"""Events: every one survives JSON and back, old payloads are lifted, strange ones are refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import event_versions
from core.events import (
    LOUD,
    AnyEvent,
    BaseEvent,
    HostPolled,
    HostStateChanged,
    Notice,
    get_event_bus,
    parse_event,
    register_adapter,
)
from core.exceptions import ValidationError
from tests.parts import examples

EVENTS: tuple[type[BaseEvent], ...] = get_args(get_args(AnyEvent)[0])

_hostile = st.sampled_from(["\udc80", "a\ud800b", "\x00\x1b[31m", "\u202e", "é" * 5000, "\udfff" * 5000, "[red]", "🦫"])
_odd_zones = st.timezones() | st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
_BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text() | st.text(st.characters(categories=["Cs", "Cc", "L"])) | _hostile,
    int: st.integers(0, 2**63 - 1) | st.integers() | st.just(10**5000),
    float: st.floats() | st.integers(),
    bool: st.booleans(),
    NoneType: st.none(),
    pydantic.AwareDatetime: st.datetimes(timezones=st.none() | _odd_zones),
}


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    """What may be given for a field; a KeyError says that a new kind of field wants its strategy here."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _values(args[0])
    if origin in (Union, UnionType):
        return st.one_of(*map(_values, args))
    if origin is Literal:
        return st.sampled_from(args)
    if origin is dict:
        return st.dictionaries(_values(args[0]), _values(args[1]), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    return _BY_TYPE[annotation]


def _fields(kind: type[BaseEvent]) -> st.SearchStrategy[dict[str, Any]]:
    required, optional = {}, {}
    for name, field in kind.model_fields.items():
        if name not in ("type", "version"):
            (required if field.is_required() else optional)[name] = _values(field.annotation)
    return st.fixed_dictionaries(required, optional=optional)


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def test_the_union_holds_every_event_there_is() -> None:
    def all_below(kind: type[BaseEvent]) -> set[type[BaseEvent]]:
        return {kind}.union(*map(all_below, kind.__subclasses__()))

    ours = {k for k in all_below(BaseEvent) - {BaseEvent} if k.__module__.split(".")[0] in ("core", "console")}
    assert ours == set(EVENTS)
    assert len({k.model_fields["type"].default for k in EVENTS}) == len(EVENTS)


@given(st.data())
@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_event_survives_json_and_back(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(EVENTS))
    fields = data.draw(_fields(kind))
    try:
        event = kind(**fields)
    except pydantic.ValidationError as exc:
        # Refused at construction, and only for what is no number of anything and no moment in UTC
        wrong = {str(fault["loc"][0]) for fault in exc.errors(include_input=False)}
        moments = {name for name in wrong if isinstance(fields[name], datetime)}
        assert all(not 0 <= fields[name] < 2**63 for name in wrong - moments)
        assert all(fields[n].tzinfo is None or fields[n].year in (1, 9999) for n in moments)
        return
    text = event.model_dump_json()
    back = parse_event(json.loads(text, parse_constant=_no_json))
    assert type(back) is kind
    assert repr(back) == repr(event)  # as ==, but for nan
    assert back.model_dump_json() == text
    assert repr(parse_event(event.model_dump())) == repr(event)
    assert event.timestamp.tzinfo is UTC
    assert event.severity in ("info", "warning", "error")
    assert len(event.summary().encode()) < 100_000


def test_an_event_of_another_version_cannot_be_made() -> None:
    with pytest.raises(pydantic.ValidationError, match="reads version 1"):
        Notice(text="x", version=2)


def test_what_is_no_text_is_escaped_and_a_blob_is_cut() -> None:
    assert Notice(text="name\udcff.log").text == "name\\udcff.log"
    assert len(Notice(text="x" * 1_000_000).text) == 4000


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"type": "notice", "version": 2, "text": "x"}, "EVENT_VERSION_UNKNOWN"),
        ({"type": "notice", "version": 0, "text": "x"}, "EVENT_VERSION_UNKNOWN"),
        ({"type": "notice", "version": 10**5000, "text": "x"}, "EVENT_VERSION_UNKNOWN"),
        ({"type": "never.heard.of", "text": "x"}, "EVENT_TYPE_UNKNOWN"),
        ({"type": "\udc80" * 1000}, "EVENT_TYPE_UNKNOWN"),
        ({}, "EVENT_MALFORMED"),
        ({"type": ["notice"]}, "EVENT_MALFORMED"),
        ({"type": "notice", "version": "one"}, "EVENT_MALFORMED"),
        ({"type": "notice"}, "EVENT_MALFORMED"),
        ({"type": "notice", "text": "x", "extra": 1}, "EVENT_MALFORMED"),
        ({"type": "notice", "text": {"secret": "hunter2"}}, "EVENT_MALFORMED"),
    ],
)
def test_strange_payloads_are_refused_without_their_values(payload: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_event(payload)
    assert caught.value.error_code == code
    assert "hunter2" not in json.dumps(caught.value.to_dict())


@pytest.fixture
def third_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the notice were in its third version, and no adapter were there."""
    monkeypatch.setattr(event_versions, "_UPGRADES", {})
    monkeypatch.setitem(event_versions.CURRENT, "notice", 3)


@pytest.mark.usefixtures("third_version")
def test_old_payloads_are_lifted_step_by_step() -> None:
    register_adapter("notice", 1, lambda d: {**{k: v for k, v in d.items() if k != "message"}, "words": d["message"]})
    register_adapter("notice", 2, lambda d: {"text": d["words"], "level": "warning"})
    old = {"type": "notice", "version": 1, "message": "from long ago"}
    for payload in (old, {"type": "notice", "version": 2, "words": "from long ago"}):
        event = parse_event(payload)
        assert isinstance(event, Notice)
        assert (event.version, event.text, event.level) == (3, "from long ago", "warning")
    assert old == {"type": "notice", "version": 1, "message": "from long ago"}
    with pytest.raises(ValidationError, match="does not fit its adapter"):
        parse_event({"type": "notice", "version": 1, "text": "never was one of version 1"})


@pytest.mark.usefixtures("third_version")
def test_adapters_that_nothing_would_use_are_refused() -> None:
    register_adapter("notice", 2, dict)
    for kind, version in (("notice", 2), ("notice", 3), ("notice", -1), ("never.heard.of", 1)):
        with pytest.raises(ValueError, match="no adapter"):
            register_adapter(kind, version, dict)


def test_the_accessor_gives_one_bus() -> None:
    assert get_event_bus() is get_event_bus()


def test_a_poll_made_in_haste_is_the_same_event() -> None:
    made = HostPolled.of_sample("web", "c-1", 7, (1.0, None, 3.0, 4.0), 0.5)
    checked = HostPolled(
        source="poller", host="web", correlation_id="c-1", seq=7, lag_s=0.5, cpu_pct=1.0, mem_pct=None, disk_pct=3.0,
        load1=4.0, id=made.id, timestamp=made.timestamp,
    )  # fmt: skip
    assert made == checked and parse_event(json.loads(made.model_dump_json())) == checked
    assert (
        made.model_dump() == checked.model_dump() and made.id != HostPolled.of_sample("w", "", 1, (None,) * 4, None).id
    )
    assert made.model_copy(update={"seq": 8}).seq == 8


def test_loud_events_are_all_but_the_quiet_ones() -> None:
    assert HostPolled not in LOUD and HostStateChanged in LOUD and Notice in LOUD
