"""Who is logged in: who(1) of coreutils or busybox, or loginctl(1) where no utmp is kept."""

from __future__ import annotations

import re

from core.collectors.collector import Collector
from core.collectors.output import Section, absent, broken, lines_of, refused, script, sections
from core.collectors.text import clean
from core.models import Finding, SectionStatus, SessionFigures
from core.ports import CommandResult

KIND = "sessions"
_SCRIPT = (
    "set -f; if command -v who >/dev/null 2>&1 && { [ -e /run/utmp ] || [ -e /var/run/utmp ]; }; then "
    "echo @jw who; who; "
    "elif [ -d /run/systemd/system ] && command -v loginctl >/dev/null 2>&1; then "
    "echo @jw loginctl; s=$(loginctl list-sessions --no-legend --no-pager | while read -r a b; do echo $a; done); "
    '[ -z "$s" ] || loginctl show-session -p Name -p TTY -p Remote -p RemoteHost -p Timestamp -p Class -p Display $s; '
    "else echo @jw none; fi; echo @jw end"
)
_DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d(?::\d\d)?"
_WHO = re.compile(rf"(\S.*?) ++(?:[-+?] ++)?(\S+(?: pts/\d+| tty\w+)?) +({_DATE})(?: +\((.*)\))? *")
_BUSYBOX = re.compile(rf"(\S+) +(\S+) +(?:\?|\.|old|\d{{1,3}}[:d]\S*) +({_DATE})(?: +(\S.*?))? *")  # with its idle time
_BUSYBOX_HEAD = re.compile(r"USER +TTY +IDLE +TIME +HOST *")
_FIELD = re.compile(r"([A-Za-z]+)=(.*)")


def parse(result: CommandResult) -> Finding:
    """Read the sessions; raise DataCollectionError where the output is something else."""
    gone = refused(KIND, result, "who")
    if gone is not None:
        return gone
    for part in sections(KIND, result):
        if part.name == "who":
            return _found(_who(part.lines))
        if part.name == "loginctl":
            return _found(_loginctl(part))
        if part.name == "none":
            return absent(KIND, "this host keeps no list of logins (no utmp and no systemd-logind)")
    raise broken(KIND, result.stdout)


def _found(sessions: list[SessionFigures]) -> Finding:
    return Finding(KIND, SectionStatus.OK, tuple(sessions))


def _who(lines: list[str]) -> list[SessionFigures]:
    sessions = []
    for line in lines:
        if _BUSYBOX_HEAD.fullmatch(line):
            continue
        found = _BUSYBOX.fullmatch(line) or _WHO.fullmatch(line)
        if found is None:
            raise broken(KIND, line)
        user, tty, since, origin = found.groups()
        sessions.append(SessionFigures(clean(user), clean(tty), since, clean(origin) if origin else None))
    return sessions


def _loginctl(part: Section) -> list[SessionFigures]:
    sessions = []
    for block in re.split(r"\n{2,}", part.text.strip("\n")) if part.lines else []:
        fields = {}
        for line in lines_of(KIND, block):
            found = _FIELD.fullmatch(line)
            if found is None:
                raise broken(KIND, line)
            fields[found[1]] = clean(found[2])
        if not fields.get("Name"):
            raise broken(KIND, block)
        if fields.get("Class", "user") != "user":
            continue  # a login screen, or what a service manager opened for itself
        line_name = fields.get("TTY") or fields.get("Display") or "-"
        origin = fields.get("RemoteHost") or None
        sessions.append(SessionFigures(fields["Name"], line_name, fields.get("Timestamp", ""), origin))
    return sessions


SESSIONS = Collector(KIND, script(_SCRIPT), parse, interval_s=300.0, max_output=1 << 16)
