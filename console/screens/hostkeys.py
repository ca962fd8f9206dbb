"""Review of host keys: new ones are accepted here by a typed word; changed ones are shown and never accepted."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from console.formatting import clean
from console.screens.base import Cover
from console.widgets.line import Line, wrap
from console.widgets.linelist import LineList
from console.widgets.linesview import LinesView
from core.exceptions import InfrastructureException
from core.models import HostKeyReview

if TYPE_CHECKING:
    from console.services import ConsoleServices
    from console.widgets.palette import Palette
    from core.models import FleetView


class KeyList(LineList):
    """One line a key, with a mark."""

    HEADER = True

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.marked: set[Hashable] = set()

    def fingerprint(self, row: Hashable) -> Hashable:
        return row in self.marked

    def draw_header(self, width: int) -> Line:
        head = self.palette.head
        return Line().gap().cell("KEY", 10, head).cell("HOST", 17, head).cell("TYPE", 12, head).add("FINGERPRINT", head)

    def draw_row(self, row: Hashable, width: int) -> Line:
        assert isinstance(row, HostKeyReview)
        look = self.palette
        line = (
            Line()
            .add("*" if row in self.marked else " ", look.key)
            .cell("✗ changed" if row.changed else "▲ new", 10, look.bad if row.changed else look.warn)
        )
        line.cell(clean(row.host), 16, look.strong).gap().cell(clean(row.key_type), 11, look.dim).gap()
        return line.cell(clean(row.fingerprint), width - line.width, look.text)


class HostKeyScreen(Cover[None]):
    """The list, the key under the cursor in full, and what may be done with it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "close"),
        Binding("a", "accept", "accept"),
        Binding("space", "mark", "mark"),
        Binding("m", "mark_all", "mark all new"),
        Binding("A", "accept_all", "accept marked, or all new"),
        Binding("x", "reject", "reject"),
    ]

    def __init__(self, services: ConsoleServices) -> None:
        super().__init__()
        self._services = services
        self._asked: tuple[HostKeyReview, ...] = ()
        self._words: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="keys"):
            yield Static("Host keys to review", classes="dialog-title", id="key-title", markup=False)
            yield KeyList(id="key-list")
            yield LinesView(id="key-detail")
            with Horizontal(id="key-confirm"):
                yield Static(id="key-ask", markup=False)
                yield Input(id="key-typed", compact=True)
            yield Static(
                "a accept  space mark  m mark all new  A accept marked, or all new  x reject  esc close",
                id="key-note",
                markup=False,
            )

    def on_mount(self) -> None:
        self.query_one("#key-confirm").display = False
        self.update_view(self._services.view)
        self.query_one(KeyList).focus()

    def update_view(self, view: FleetView) -> None:
        """Take a newer view."""
        keys = self.query_one(KeyList)
        keys.marked &= set(view.reviews)
        keys.set_rows(view.reviews)
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    @on(LineList.Moved)
    def _moved(self, event: LineList.Moved) -> None:
        event.stop()
        self._draw()

    @on(LineList.Opened)
    def _opened(self, event: LineList.Opened) -> None:
        event.stop()
        self.action_accept()

    @property
    def current(self) -> HostKeyReview | None:
        """The key under the cursor."""
        row = self.query_one(KeyList).current
        return row if isinstance(row, HostKeyReview) else None

    def _draw(self) -> None:
        detail = self.query_one("#key-detail", LinesView)
        shared = alike(self.current, self._services.view.reviews)
        detail.set_lines(review_lines(self.current, detail.size.width - 1, detail.palette, shared))
        keys = self.query_one(KeyList)
        count = f": {len(keys.rows)}" if keys.rows else ""
        marked = f", {len(keys.marked)} marked" if keys.marked else ""
        self.query_one("#key-title", Static).update(f"Host keys to review{count}{marked}")

    # Answers.
    def action_accept(self) -> None:
        review = self.current
        if review is None:
            return
        if review.changed:
            self._say("A changed key is not accepted here: find out why it changed, then edit known_hosts by hand.")
            return
        self._ask((review,), (review.host, "yes"))

    def action_mark(self) -> None:
        """Mark the key under the cursor, or take its mark away, and go on to the next."""
        keys, review = self.query_one(KeyList), self.current
        if review is None:
            return
        if review.changed:
            self._say("A changed key is not accepted here, and so not marked.")
            return
        keys.marked ^= {review}
        keys.action_move(1)
        keys.refresh_dirty()
        self._draw()

    def action_mark_all(self) -> None:
        """Mark every new key, or take all marks away where all are marked."""
        keys = self.query_one(KeyList)
        new = {review for review in self._services.view.reviews if not review.changed}
        keys.marked = set() if keys.marked == new else set(new)
        keys.refresh_dirty()
        self._draw()

    def action_accept_all(self) -> None:
        marked = self.query_one(KeyList).marked
        new = tuple(row for row in self._services.view.reviews if not row.changed and (not marked or row in marked))
        if new:
            self._ask(new, ("yes",))
        else:
            self._say("There is no new key to accept.")

    def _ask(self, reviews: tuple[HostKeyReview, ...], words: tuple[str, ...]) -> None:
        self._asked, self._words = reviews, words
        what = clean(reviews[0].host) if len(reviews) == 1 else f"{len(reviews)} keys"
        self.query_one("#key-ask", Static).update(f"accept {what}: type {' or '.join(clean(w) for w in words)}")
        self.query_one("#key-confirm").display = True
        typed = self.query_one(Input)
        typed.value = ""
        typed.focus()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        typed, reviews = event.value.strip(), self._asked
        self._end_asking()
        if typed not in self._words:
            self._say("Nothing is accepted: another word was typed.")
            return
        try:
            accepted = await self._services.accept_host_keys(reviews)
            self._say(f"{accepted} accepted and written to known_hosts; connecting anew.")
        except InfrastructureException as error:
            self._say(clean(error.message))
        self.update_view(self._services.view)

    async def action_reject(self) -> None:
        review = self.current
        if review is None:
            return
        try:
            await self._services.reject_host_key(review)
        except InfrastructureException as error:
            self._say(clean(error.message))
            return
        self._say(f"{clean(review.host)}: rejected; the host stays away until it is polled again.")
        self.update_view(self._services.view)

    def _end_asking(self) -> None:
        self._asked = ()
        self.query_one("#key-confirm").display = False
        self.query_one(KeyList).focus()

    def _say(self, text: str) -> None:
        self.query_one("#key-note", Static).update(text)

    def action_close(self) -> None:
        if self._asked:
            self._end_asking()
        else:
            self.dismiss()


def alike(review: HostKeyReview | None, reviews: Sequence[HostKeyReview]) -> tuple[str, ...]:
    """The other hosts that show the very same key: one machine under several names, or copies of one image."""
    if review is None:
        return ()
    others = (each for each in reviews if each.public_key == review.public_key and each is not review)
    return tuple(each.host for each in others)


def review_lines(review: HostKeyReview | None, width: int, look: Palette, shared: Sequence[str] = ()) -> list[Line]:
    """Return one key in full: what was offered, what was known, what to compare it with; ``shared`` shows it too."""
    if review is None:
        return [Line(), Line().add("No host key waits for review.", look.dim)]
    rows = [("host", f"{clean(review.host)}  {clean(review.address)}:{review.port}", look.text)]
    if review.changed:
        rows += [("old", clean(old), look.ok) for old in review.old_fingerprints or ("not known",)]
        rows.append(("new", clean(review.fingerprint), look.bad))
    else:
        rows.append(("key", clean(review.fingerprint), look.text))
    if review.dns:
        rows.append(("dns", clean(review.dns), look.text))
    rows.append(("type", clean(review.key_type), look.text))
    if shared:
        more = f" and {len(shared) - 4} more" if len(shared) > 4 else ""
        rows.append(("note", f"the same key as {clean(', '.join(shared[:4]))}{more}", look.warn))
    rows.append(("file", clean(review.known_hosts) or "known_hosts", look.dim))
    lines = [Line()]
    for name, value, style in rows:
        for number, part in enumerate(wrap(value, width - 6)):
            lines.append(Line().cell(name if not number else "", 6, look.dim).add(part, style))
    if review.changed:
        text = (
            "The key is not the one known_hosts holds. Either the host was set up anew, or somebody stands between. "
            "Ask its owner; then remove the old line with ssh-keygen -R and review the new key."
        )
        style = look.warn
    else:
        text = "Compare with: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the host itself."
        style = look.dim
    return [*lines, Line(), *(Line().add(part, style) for part in wrap(text, width))]
