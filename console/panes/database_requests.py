"""What the keys of the Database pane ask for: capitals act, and each goes through the drawer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from console.formatting import clean, moment, span
from console.messages import DetailWanted, PlanWanted, PolicyWanted, RefreshWanted, Remark
from console.panes.base import Pane
from core.models import PlanRequest

if TYPE_CHECKING:
    from core.models import ChunkInfo, HypertableInfo, JobInfo, RelationInfo, SessionInfo

NO_CHUNK = "no chunk is chosen: ← → walk along the strip"
# The sections in which a key's target is to be seen; the others go everywhere in the pane.
_SEEN_IN = {
    **dict.fromkeys(("compress", "decompress", "reorder", "drop_chunk"), ("tables", "chunks")),
    **dict.fromkeys(("run_job", "fix_job", "hold_job"), ("jobs",)),
    **dict.fromkeys(("cancel", "terminate"), ("sessions",)),
    **dict.fromkeys(("vacuum", "analyze", "reindex"), ("tables", "sizes")),
    "refresh_rollup": ("tables",),
}


class DatabaseRequests(Pane):
    """The requests; what is chosen is known to the pane itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("C", "compress", "compress", tooltip="compress chunk, or take newer rows in", id="database.compress"),
        Binding("D", "decompress", "decompress", show=False, id="database.decompress"),
        Binding("O", "compress_older", "older", tooltip="compress all past their policy", id="database.older_than"),
        Binding("S", "reorder", "sort chunk", tooltip="sort chunk by its key", show=False, id="database.reorder"),
        Binding("X", "drop_chunk", "drop chunk", show=False, id="database.drop_chunk"),
        Binding("R", "retention", "retention", tooltip="drop what retention allows", id="database.retention"),
        Binding("P", "policy", "policy", tooltip="change a policy's age", id="database.policy"),
        Binding("J", "run_job", "job", tooltip="run this job now", id="database.job"),
        Binding("F", "fix_job", "fix", tooltip="run a failed job again, schedule it", id="database.fix"),
        Binding("H", "hold_job", "stop/go", tooltip="stop job, or let it run", id="database.hold"),
        Binding("E", "cancel", "cancel", tooltip="cancel the session's statement", id="database.cancel"),
        Binding("T", "terminate", "end", tooltip="end the session", id="database.terminate"),
        Binding("U", "refresh_rollup", "roll up", tooltip="roll raw data up anew", show=False, id="database.refresh"),
        Binding("V", "vacuum", "vacuum", id="database.vacuum"),
        Binding("A", "analyze", "analyze", id="database.analyze"),
        Binding("I", "reindex", "reindex", show=False, id="database.reindex"),
    ]

    section = "tables"

    @property
    def table(self) -> HypertableInfo | None:
        """The table under the cursor."""
        raise NotImplementedError

    @property
    def chosen(self) -> ChunkInfo | None:
        """The chunk under the cursor."""
        raise NotImplementedError

    @property
    def job(self) -> JobInfo | None:
        """The job under the cursor."""
        raise NotImplementedError

    @property
    def session(self) -> SessionInfo | None:
        """The session under the cursor."""
        raise NotImplementedError

    @property
    def relation(self) -> RelationInfo | None:
        """The table under the cursor of the sizes."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        sections = _SEEN_IN.get(action)
        return sections is None or self.has_class("wide") or self.section in sections

    def _want(self, action: str, **arguments: object) -> None:
        self.post_message(PlanWanted(PlanRequest(action, arguments)))

    def _say(self, text: str) -> None:
        self.post_message(Remark(text, "warning"))

    def _want_chunk(self, action: str) -> None:
        if self.chosen is None:
            self._say(NO_CHUNK)
        else:
            self._want(action, chunk=self.chosen.name)

    def _want_job(self, action: str) -> None:
        if self.job is None:
            self._say("there is no job here")
        else:
            self._want(action, job_id=self.job.job_id)

    def _want_table(self, action: str) -> None:
        at_hand = self.relation if self.section == "sizes" else self.table
        if at_hand is None:
            self._say("no table is chosen")
        else:
            self._want(action, table=at_hand.name)

    def _want_session(self, action: str) -> None:
        if self.session is None:
            self._say("there is no other session here")
        else:
            self._want(action, pid=self.session.pid)

    def action_compress(self) -> None:
        partial = self.chosen is not None and self.chosen.compressed and self.chosen.partial
        self._want_chunk("chunk.recompress" if partial else "chunk.compress")

    def action_decompress(self) -> None:
        self._want_chunk("chunk.decompress")

    def action_reorder(self) -> None:
        self._want_chunk("chunk.reorder")

    def action_drop_chunk(self) -> None:
        self._want_chunk("chunk.drop")

    def action_compress_older(self) -> None:
        self._want("chunk.compress-older")

    def action_retention(self) -> None:
        self._want("retention.run")

    def action_policy(self) -> None:
        self.post_message(PolicyWanted())

    def action_run_job(self) -> None:
        self._want_job("job.run")

    def action_fix_job(self) -> None:
        self._want_job("job.fix")

    def action_hold_job(self) -> None:
        self._want_job("job.pause" if self.job is None or self.job.scheduled else "job.resume")

    def action_cancel(self) -> None:
        self._want_session("session.cancel")

    def action_terminate(self) -> None:
        self._want_session("session.terminate")

    def action_refresh_rollup(self) -> None:
        if self.table is None or not self.table.rollup:
            self._say("choose a rollup first: a table that ends in _1m or _1h")
        else:
            self.post_message(RefreshWanted(self.table.name))

    def action_vacuum(self) -> None:
        self._want_table("table.vacuum")

    def action_analyze(self) -> None:
        self._want_table("table.analyze")

    def action_reindex(self) -> None:
        self._want_table("table.reindex")

    # Details in full.
    def show_detail(self) -> None:
        """Show the job or the session under the cursor with all of its text."""
        if self.section == "jobs" and self.job is not None:
            self.post_message(DetailWanted(f"Job {self.job.job_id}", job_facts(self.job, self.utc)))
        elif self.section == "sessions" and self.session is not None:
            self.post_message(DetailWanted(f"Session {self.session.pid}", session_facts(self.session, self.utc)))


def job_facts(job: JobInfo, utc: bool) -> tuple[tuple[str, str], ...]:
    """Return a job's facts by name, its last error in full."""
    results = {True: "ok", False: "failed", None: "not known"}
    return (
        ("name", clean(job.name)),
        ("table", clean(job.hypertable or "")),
        ("owner", clean(job.owner) + ("" if job.may_alter else ", whose rights this role has not")),
        ("every", span(job.schedule_s)),
        (
            "scheduled",
            "held until its rollups have caught up" if job.held else "yes" if job.scheduled else "no: stopped",
        ),
        ("last run", f"{moment(job.last_run, utc)} ({results[job.last_ok]})"),
        ("next run", moment(job.next_run, utc)),
        ("runs", f"{job.total_runs or 0}, of which {job.total_failures or 0} failed"),
        ("set to", clean(job.config)),
        ("last error", job.last_error or "none"),
    )


def session_facts(session: SessionInfo, utc: bool) -> tuple[tuple[str, str], ...]:
    """Return a session's facts by name, its statement as far as the server was asked for it."""
    return (
        ("user", clean(session.user or "the server")),
        ("application", clean(session.application)),
        ("whose", session.kind.value),
        ("from", clean(session.address or "its own machine, or not to be seen")),
        ("state", clean(session.state or "not to be seen")),
        ("since", moment(session.started, utc)),
        ("transaction", moment(session.transaction, utc) if session.transaction else "in none"),
        ("waits for", clean(session.wait or "nothing")),
        ("blocked by", ", ".join(map(str, session.blocked_by)) or "nobody"),
        ("statement", "not to be seen with this role" if session.hidden else session.query or "none"),
    )
