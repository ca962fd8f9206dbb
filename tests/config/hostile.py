"""Values of settings as nobody wants them: at and past every bound, and texts that break what handles them badly."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Literal, get_args, get_origin
from urllib.parse import quote

from hypothesis import strategies as st
from pydantic import SecretStr

from core.config.fields import holds_secret, number_range
from core.config.reference import Entry

MARK = "hunter2"
"""Begins every secret that is made here, and so must never be seen."""

_NASTY = [
    "", " ", "\0", "a\0b", "a\nb", "\r\n", "\t", "\x1b[31mred", "\x7f", "'", '"', "`id`", "$(id)", "a;b", "a b",
    "-oX=y", "\\", "a\\", "%", "%%", "%00", "%s", "{}", "#", "a#b", "a,b", "[", "]", "[]", '["a"]', "null", "true",
    "~", "~nobody-there/x", "~/x", ".", "..", "../..", "/", "//", "/no such/x", "/dev/null/x", "/" + "x" * 300,
    "/" + "x/" * 2500, "x" * 64, "ü" * 32, "x" * 300, "x" * 10_000, "\ufeff", "\u202eabc", "\u2028", "a\u0301", "😀",
    "ﬁ", "\u00ad", "İ", "שלום", "abcשלום", "\udcff", "localhost", "LOCALHOST", "127.0.0.1", "0.0.0.0", "1.2.3",
    "256.1.1.1", "::", "::1", "[::1]", "fe80::1%eth0", "[fe80::1%25eth0]", "fe80::1%", "fe80::1%a/b",
    "::ffff:127.0.0.1", "db.example", "db.example.", "bücher.example", "a..b", ".a", "-a", "a-", "a_b",
    "x" * 63 + ".de", ".".join(["x" * 60] * 5), "xn--", "@", "u@h", "u:p@h", "/run/postgresql", "/run/a,b",
    "/run/.s.PGSQL.5432", "*", "https://a.example", "https://a.example:99999", "http://[::1]:80",
    "https://ü.example", "https://u:p@a.example/x?y#z", "https://", "postgresql://", "nan", "inf", "-1", "1e5",
    "1e999", "0x10", "٣", "9" * 400, "1_0", "2 days", "-2 days", "P1D", "PT1H", "1.5s", "1d 2h", "256MiB", "1.5k",
    "K", "True", "yes",
]  # fmt: skip
TEXT = st.one_of(
    st.sampled_from(_NASTY),
    st.text(max_size=40),
    st.text(st.characters(categories=("P", "S", "Z", "Cc", "Cf", "Cn", "Co")), max_size=12),
    st.text("abc.-_:/@%[]~ 019", min_size=1, max_size=24),
)
_HOSTS = st.sampled_from(
    ["h", "db.example", "10.0.0.1", "[::1]", "[fe80::1%25eth0]", "localhost", "%2Frun%2Fpg", "a_b", "bücher"]
)


@st.composite
def _urls(draw: st.DrawFn) -> str:
    """A database URL whose parts are any text, written as %XX, or any text at all."""
    if draw(st.booleans()):
        return draw(TEXT)
    encodable = TEXT.filter(lambda text: "\udcff" not in text)
    user, password, name = (quote(draw(encodable), safe="") for _ in range(3))
    query = draw(
        st.sampled_from(["", "?sslmode=verify-full", "?application_name=a+b", "?connect_timeout=0", "?x=1", "?&"])
    )
    port = draw(st.sampled_from(["", ":1", ":65535", ":0", ":70000", ":"]))
    return f"postgresql://{user}:{MARK}{password}@{draw(_HOSTS)}{port}/{name}{query}"


_GOOD = {
    "host or address": ["h", "10.0.0.1", "::1", "fe80::1%eth0", "bücher.example", "LOCALHOST", "0.0.0.0"],
    "host, address or folder": ["db.example", "[2001:db8::1]", "/run/postgresql", "/run/a+b@c:d%"],
    "user name": ["anna", "DOMAIN\\anna", "anna@realm", "jürgen", "a.b-c_d"],
    "path": ["/x/y", "~/x", "relative", "/ü/a b'\"%#", "/dev/null/x", "/proc/self/environ"],
    "absolute path": ["/config", "/srv/swag config"],
    "secret": [MARK, f"{MARK}:/?#[]@!$&'()*+,;=% \"\\\\^`{{|}}~", f"{MARK}\n\tü😀"],
    "list of secrets": [[], [f"{MARK}!#%", MARK], f"{MARK},{MARK}x"],
    "list of secret URLs": [[f"https://h:1/{MARK}"], f"http://u:{MARK}@[::1]:8080/a?b#c,https://ü.example/{MARK}"],
    "list of origins, or `*`": ["*", ["https://a.example:8443", "http://[::1]:80"], "HTTPS://Ü.example/, *"],
}
_NAMES = ["jumpwatch", "a b", "a'b\"c", "%s", "x" * 63, "a@b:c/d?e#f"]


def good(entry: Entry) -> st.SearchStrategy[Any]:
    """Values for one setting that are taken, as odd as they may be; lengths of time stay near the default, in order."""
    low, high = number_range(entry.info)
    if isinstance(low, timedelta):
        default = entry.info.default.total_seconds()
        return st.integers(int(default * 0.9), int(default * 1.1)).map(lambda length: f"{length} s")
    if low is not None:
        return st.one_of(
            st.sampled_from([low, high]), st.floats(low, high) if entry.type is float else st.integers(low, high)
        )
    if get_origin(entry.type) is Literal:
        return st.sampled_from(get_args(entry.type))
    if entry.type is bool:
        return st.sampled_from([True, False, "yes", "0"])
    kind = entry.kind
    return st.sampled_from(_GOOD.get(kind, _NAMES))


def _numbers(entry: Entry, low: Any, high: Any) -> st.SearchStrategy[Any]:
    span = isinstance(low, timedelta)
    a, b = (low.total_seconds(), high.total_seconds()) if span else (low, high)
    if entry.type is float:
        inside: st.SearchStrategy[Any] = st.floats(a, b)
    else:
        inside = st.integers(int(a), int(b))
    edges = st.sampled_from([a, b, a - 1, b + 1, -a, 0, float("nan"), float("inf"), -float("inf"), 10**400, True])
    units = st.builds(
        "{} {}".format, st.integers(0, 5000), st.sampled_from(["s", "min", "hours", "days", "KiB", "MB", "g", "x"])
    )
    return st.one_of(inside, inside, inside.map(str), st.floats(a, b), edges, units, TEXT)


def values(entry: Entry) -> st.SearchStrategy[Any]:
    """Values for one setting: of its type and in its range, at the bounds, past them, and any text."""
    low, high = number_range(entry.info)
    if low is not None:
        return _numbers(entry, low, high)
    if get_origin(entry.type) is Literal:
        return st.one_of(st.sampled_from(get_args(entry.type)), TEXT)
    if get_origin(entry.type) is tuple:
        begin = MARK if holds_secret(entry.type) else ""
        items = st.lists(TEXT.map(lambda text: begin + text), max_size=4)
        return st.one_of(good(entry), items, items.map(json.dumps), items.map(",".join))
    if (entry.section, entry.field) == ("database", "url"):
        return _urls()
    if entry.type is bool:
        return st.one_of(st.booleans(), TEXT)
    text = TEXT.map(lambda text: MARK + text) if entry.type is SecretStr else TEXT
    return st.one_of(good(entry), text)
