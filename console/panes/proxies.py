"""What the reverse proxies of all hosts serve, and the certificates they serve it with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from console.formatting import DASH, moment, span
from console.panes.items import ItemsPane
from console.panes.listing import Listing, Row, answer_of, finding_of, vocabulary
from console.panes.listing_columns import age_column, facts, host_column, state_column, text
from console.panes.query import Figure
from console.widgets.columns import Column
from core.models import ProxiesFigures, SectionStatus

if TYPE_CHECKING:
    from console.panes.listing import Answer
    from console.widgets.columns import Cell, Look
    from console.widgets.line import Line
    from console.widgets.palette import Palette
    from core.models import CertificateFigures, HostFinding, HostView, ProxyFigures

_EVERY_S = 300.0
_DAY_S, _FAR_D = 86_400.0, 40_000.0


def _told(view: HostView) -> tuple[HostFinding, ProxiesFigures] | None:
    found = view.findings.get("proxies")
    value = found.finding.value if found else None
    return (found, value) if found is not None and isinstance(value, ProxiesFigures) else None


def _proxies(view: HostView) -> Iterable[Row[ProxyFigures]]:
    if (told := _told(view)) is None:
        return
    for one in told[1].proxies:
        word = "odd" if one.problem and one.upstreams else "unread" if one.problem else "ok"
        yield Row(view.host.name, one.file, one, told[0].ts, 1 if one.problem else 0, 0.0, word)


def _serves(one: ProxyFigures) -> str:
    return ", ".join(one.names) or ", ".join(one.paths)


PROXIES: Listing[ProxyFigures] = Listing(
    name="proxies",
    one="proxy",
    many="proxies",
    lacks="SWAG folder (JUMPWATCH_SWAG_CONFIG_DIR says where it is)",
    way='let the login read the folder, or sudo = ["proxies"] for the host in hosts.toml',
    every_s=_EVERY_S,
    source=finding_of("proxies"),
    ask=answer_of("proxies"),
    rows=_proxies,
    columns=(
        state_column(8),
        host_column(),
        text("proxy", "PROXY", 14, lambda one: one.file.removesuffix(".conf"), grow=2),
        text("serves", "SERVES", 14, _serves, grow=2),
        text("upstream", "GOES TO", 18, lambda one: ", ".join(one.upstreams), grow=3),
        text("auth", "LOGIN", 9, lambda one: one.auth or "none", worth=90, dim=True),
        text("kind", "KIND", 9, lambda one: one.kind, worth=120, dim=True),
        age_column(_EVERY_S),
    ),
    words=vocabulary(
        {},
        {
            "proxy": lambda row: (row.value.file,),
            "name": lambda row: row.value.names,
            "path": lambda row: row.value.paths,
            "upstream": lambda row: row.value.upstreams,
            "auth": lambda row: (row.value.auth or "none",),
            "kind": lambda row: (row.value.kind,),
        },
        lambda row: (row.value.file, *row.value.names, *row.value.paths, *row.value.upstreams),
    ),
)


def proxy_detail(row: Row[ProxyFigures], width: int, look: Palette) -> list[Line]:
    """Return the whole of one file's outcome."""
    one = row.value
    tls = {None: "as the server around it has it", True: "yes", False: "no: it is served in the clear"}[one.tls]
    return facts(
        (
            ("problem", one.problem),
            ("serves", ", ".join(one.names)),
            ("paths", ", ".join(one.paths)),
            ("goes to", ", ".join(one.upstreams)),
            ("login", one.auth or "none: nobody is asked who they are"),
            ("TLS", tls),
        ),
        width,
        look,
    )


def _certificates(view: HostView) -> Iterable[Row[CertificateFigures]]:
    if (told := _told(view)) is None:
        return
    found, value = told
    for one in value.certificates or ():
        bad = 2 if one.ended else 1 if one.problem else 0
        word = (
            "ended" if one.ended else "soon" if one.problem and one.not_after else "unread" if one.problem else "good"
        )
        left = _left_s(one, found.ts)
        yield Row(
            view.host.name, one.name, one, found.ts, bad, 9e5 if left is None else max(0.0, 4e5 - left / _DAY_S), word
        )


def _left_s(one: CertificateFigures, at: datetime) -> float | None:
    return None if one.not_after is None else (one.not_after - at).total_seconds()


def _ends(row: Row[CertificateFigures], look: Look) -> Cell:
    end, style = row.value.not_after, look.palette.level(row.level)
    return (DASH, look.palette.faint) if end is None else (f"{end:%Y-%m-%d}", style)


def _certificate_answer(view: HostView) -> Answer:
    """The certificates may be shut or have no reader where the files are read."""
    answer = answer_of("proxies")(view)
    told = _told(view)
    if told is None or told[1].certificates is not None or answer.status is not SectionStatus.OK:
        return answer
    note = told[1].note
    return replace(answer, status=SectionStatus.FORBIDDEN if "sudo" in note else SectionStatus.ABSENT, detail=note)


CERTIFICATES: Listing[CertificateFigures] = Listing(
    name="certificates",
    one="certificate",
    many="certificates",
    lacks="certificate of SWAG, or nothing that reads one",
    way='allow openssl by sudo -n for the login, and sudo = ["proxies"] for the host in hosts.toml',
    every_s=_EVERY_S,
    source=finding_of("proxies"),
    ask=_certificate_answer,
    rows=_certificates,
    columns=(
        state_column(8),
        host_column(),
        text("certificate", "CERTIFICATE", 16, lambda one: one.name, grow=2),
        Column("ends", "ENDS", 10, lambda row: row.value.not_after, _ends, right=True, rising=True),
        text("names", "GOOD FOR", 16, lambda one: ", ".join(one.names), grow=3),
        text("issuer", "ISSUER", 14, lambda one: one.issuer, worth=100, grow=2, dim=True),
        age_column(_EVERY_S),
    ),
    words=vocabulary(
        {"left": Figure(lambda row, now: _left_s(row.value, now), "seconds", moves=True)},
        {
            "certificate": lambda row: (row.value.name,),
            "name": lambda row: row.value.names,
            "issuer": lambda row: (row.value.issuer,),
        },
        lambda row: (row.value.name, row.value.issuer, *row.value.names),
    ),
)  # fmt: skip


def certificate_detail(row: Row[CertificateFigures], width: int, look: Palette) -> list[Line]:
    """Return until when it is good, and for what."""
    one = row.value
    left = _left_s(one, row.ts)
    when = DASH if one.not_after is None else f"{moment(one.not_after)} UTC"
    if left is not None:
        when += f", {span(abs(left))} {'ago' if left < 0 else 'from then'} when it was looked at"
    return facts(
        (("problem", one.problem), ("good until", when), ("good for", ", ".join(one.names)), ("subject", one.subject),
         ("issuer", one.issuer), ("file", one.path)),
        width,
        look,
    )  # fmt: skip


class ProxiesPane(ItemsPane):
    """Proxies and certificates over the fleet."""

    TITLE = "Proxies"
    LISTINGS = ((PROXIES, proxy_detail), (CERTIFICATES, certificate_detail))
