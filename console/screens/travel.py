"""Walking through time by keys: steps, marks, a typed moment, back to live; and the plots that panes ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from console.formatting import clean, moment
from console.screens.requests import Requests
from console.widgets.scrubber import Scrubber, step_name
from console.work import work
from core.exceptions import InfrastructureException

if TYPE_CHECKING:
    from console.messages import ItemPlotWanted, PlotWanted
    from console.services import ConsoleServices

STEPS = tuple(
    timedelta(seconds=s) for s in (10, 60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400)
)  # what one key goes, and with its shifted variant the next longer one
_ALIGNED = timedelta(hours=1)  # steps up to here end on whole ones
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def beside(at: datetime, step: timedelta, direction: int) -> datetime:
    """Return the moment a step before (-1) or after (1) that one; short steps end on whole minutes, hours and so on."""
    if step > _ALIGNED:
        return at + direction * step
    whole = _EPOCH + (at - _EPOCH) // step * step
    if direction > 0:
        return whole + step
    return whole if whole < at else whole - step


class TimeTravel(Requests):
    """The part of the main screen that stands somewhere in time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket,less_than_sign,ctrl+left", "travel(-1, 0)", "back in time", key_display="[",
                show=False, id="time.back"),
        Binding("right_square_bracket,greater_than_sign,ctrl+right", "travel(1, 0)", "forward in time", key_display="]",
                show=False, id="time.forward"),
        Binding("left_curly_bracket,ctrl+shift+left", "travel(-1, 1)", "a longer step back in time", key_display="{",
                show=False, id="time.far_back"),
        Binding("right_curly_bracket,ctrl+shift+right", "travel(1, 1)", "a longer step forward in time",
                key_display="}", show=False, id="time.far_forward"),
        Binding("backslash", "live", "back to live", key_display="\\", show=False, id="time.live"),
        Binding("end", "live", "back to live", show=False, priority=True, id="time.live_end"),
        Binding("left_parenthesis", "step(-1)", "shorter steps in time", key_display="(", show=False,
                id="time.shorter"),
        Binding("right_parenthesis", "step(1)", "longer steps in time", key_display=")", show=False, id="time.longer"),
        Binding("t", "jump", "go to a time", show=False, id="time.jump"),
        Binding("comma", "mark(0)", "mark before", key_display=",", show=False, id="time.mark_before"),
        Binding("full_stop", "mark(1)", "next mark", key_display=".", show=False, id="time.mark_after"),
        Binding("semicolon", "alarm", "last alert before", key_display=";", show=False, id="time.alert"),
    ]  # fmt: skip

    def __init__(self, services: ConsoleServices) -> None:
        super().__init__(services)
        self._utc = True
        self._step = 1
        self._trouble = ""

    @property
    def step(self) -> timedelta:
        """How far one key goes."""
        return STEPS[self._step]

    def refused(self) -> bool:
        """In the past nothing is asked of the hosts or the database of now; say so."""
        if self.services.replay.at is None:
            return False
        text = "this is the past: \\ goes back to live first"
        self.notify(text, title="Not done", severity="warning", timeout=5, markup=False)
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the present End is the lists' own, and there is nowhere to come back from."""
        if action == "live":
            return self.services.replay.at is not None and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def update_scrubber(self) -> None:
        """Show where the console stands; away while that is now."""
        status, scrubber = self.services.replay, self.query_one(Scrubber)
        scrubber.utc = self._utc
        scrubber.take(status, self.services.view, not self.pane.PAST)
        if status.trouble and status.at is None and status.trouble != self._trouble:
            self.notify(clean(status.trouble), title="No past to show", severity="error", timeout=8, markup=False)
        self._trouble = status.trouble

    def go(self, at: datetime | None) -> bool:
        """Go to that moment, None for live; say whether that could be."""
        try:
            self.services.go_to(at, self.step)
        except InfrastructureException as error:
            self.told(error)
            return False
        self._tick()
        self.refresh_bindings()
        return True

    def action_travel(self, direction: int, longer: int) -> None:
        now, at = datetime.now(UTC), self.services.replay.at
        if at is None and direction > 0:
            self.notify("this is now: there is nothing later", timeout=2, markup=False)
            return
        step = STEPS[min(self._step + longer, len(STEPS) - 1)]
        wanted = beside(at or now, step, direction)
        self.go(None if wanted >= now else wanted)

    def action_live(self) -> None:
        if self.services.replay.at is not None:
            self.go(None)

    def action_step(self, longer: int) -> None:
        """Take shorter or longer steps; the window of the time line goes with them."""
        self._step = max(0, min(len(STEPS) - 1, self._step + longer))
        if self.services.replay.at is not None:
            self.go(self.services.replay.at)  # the time line says how long a step is
        else:
            self.notify(f"a step in time is {step_name(self.step)}", timeout=2, markup=False)

    def action_jump(self) -> None:
        from console.screens.jump import JumpDialog

        self.app.push_screen(JumpDialog(self._utc), self._jumped)

    def _jumped(self, at: datetime | None) -> None:
        if at is not None:
            self.go(at)

    def action_mark(self, later: int) -> None:
        if later and self.services.replay.at is None:
            self.notify("this is now: there is nothing later", timeout=2, markup=False)
            return
        self.run_worker(work(self._to_mark, later=bool(later)), group="jump", exclusive=True)

    def action_alarm(self) -> None:
        """Go to the last alert, or host that failed, before the moment shown."""
        self.run_worker(work(self._to_mark, later=False, loud=True), group="jump", exclusive=True)

    async def _to_mark(self, *, later: bool, loud: bool = False) -> None:
        at = self.services.replay.at or datetime.now(UTC)
        try:
            mark = await self.services.mark_beside(at, later=later, loud=loud)
        except InfrastructureException as error:
            self.told(error)
            return
        if mark is None:
            what = "alert or failing host" if loud else "mark"
            self.notify(f"no {what} {'after' if later else 'before'} that time", timeout=3, markup=False)
        elif self.go(mark.ts):
            text = f"{mark.host}: {mark.text}" if mark.host else mark.text
            title = moment(mark.ts, self._utc, "%m-%d %H:%M:%S")
            self.notify(clean(text, 200), title=title, timeout=4, markup=False)

    def on_scrubber_chosen(self, message: Scrubber.Chosen) -> None:
        message.stop()
        self.go(message.at)

    # Plots.
    def on_plot_wanted(self, message: PlotWanted) -> None:
        self.run_worker(work(self._plot, message), group="plot", exclusive=True)

    def on_item_plot_wanted(self, message: ItemPlotWanted) -> None:
        self.run_worker(work(self._item_plot, message), group="item-plot", exclusive=True)

    async def _item_plot(self, message: ItemPlotWanted) -> None:
        try:
            span = (message.start, message.until, message.points)
            message.take(message, await self.services.item_plot(message.host, message.item, *span))
        except InfrastructureException:  # the list tells that nothing can be read
            message.take(message, None)

    async def _plot(self, message: PlotWanted) -> None:
        try:
            plot = await self.services.plot(message.host, message.start, message.until, message.points)
        except InfrastructureException as error:
            message.take(message, None, error.message)
        else:
            message.take(message, plot, "")
