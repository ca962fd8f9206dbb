"""The processes that use the most CPU and memory: /proc/PID/stat read twice, a second apart (proc(5))."""

from __future__ import annotations

import re
from dataclasses import replace

from core.collectors.collector import Collector
from core.collectors.output import Section, absent, broken, decimal, refused, script, sections, whole
from core.collectors.text import clean
from core.models import Finding, ProcessFigures, SectionStatus
from core.ports import CommandResult

KIND = "processes"
TOP = 12  # of each: by CPU, and by memory
_LIMIT = 1 << 40
# A name may hold blanks, parentheses and line ends: what counts is the last parenthesis, and a line that is no whole
# record is joined with the next. f[12] is utime, f[13] stime, f[20] the start time, f[22] resident pages.
AWK = (
    "function take(i) { if (k == 0) { a[p] = f[12] + f[13]; s[p] = f[20] } else { g[p] = f[22]; "
    'd[p] = (p in a) && s[p] == f[20] ? f[12] + f[13] - a[p] : "-" } } '
    'function show(p, q) { printf "@jw process %s %s%s", p, d[p], e; q = "/proc/" p "/status"; '
    "while ((getline l < q) > 0) if (l ~ /^(Name|State|Uid|VmRSS|Threads):/) { print l; "
    "if (l ~ /^Uid:/) { split(l, z); u[z[2]] = 1 } } close(q); delete d[p]; delete g[p] } "
    'BEGIN { k = 0; e = sprintf("%c", 10) } '
    '$0 == "@jw" { k++; b = ""; next } '
    'b == "" && NF == 2 && $1 ~ /^[0-9.]+$/ { t[k] = $1; next } '
    '{ b = b == "" ? $0 : b " " $0; if (match(b, /.*[)]/) == 0) next; n = split(substr(b, RLENGTH + 2), f, " "); '
    'if (n < 22) next; p = b; sub(/ .*/, "", p); take(0); b = "" } '
    'END { print "@jw uptime " t[0] " " t[1] " " h; '
    'for (i = 0; i < N; i++) { m = 0; x = ""; for (p in d) if (d[p] + 0 > m) { m = d[p] + 0; x = p } '
    'if (x == "") break; show(x) } '
    'for (i = 0; i < N; i++) { m = 0; x = ""; for (p in g) if (g[p] + 0 > m) { m = g[p] + 0; x = p } '
    'if (x == "") break; show(x) } '
    'while ((getline l < "/etc/passwd") > 0) { split(l, z, ":"); if (z[3] in u) { print "@jw user " z[3] " " z[1]; '
    "delete u[z[3]] } } "
    'print "@jw end" }'
)
_SCRIPT = (
    "if command -v awk >/dev/null 2>&1; then :; else echo @jw absent awk; echo @jw end; exit 0; fi; "
    "[ -r /proc/1/stat ] || echo @jw hidden; "
    "h=$(getconf CLK_TCK 2>/dev/null) || h=100; "
    "r() { cat /proc/uptime /proc/[0-9]*/stat 2>/dev/null; echo @jw; }; "
    f"{{ r; sleep 1; r; }} | awk -v h=$h -v N={TOP} '{AWK}'"
)
_STATUS = re.compile(r"(Name|State|Uid|VmRSS|Threads):[ \t]*(.*)")


def parse(result: CommandResult) -> Finding:
    """Read what the script prints; raise DataCollectionError where it is something else."""
    gone = refused(KIND, result, "awk")
    if gone is not None:
        return gone
    parts = sections(KIND, result)
    if any(part.name == "absent" for part in parts):
        return absent(KIND, "awk is not there: install it (mawk, gawk or busybox)")
    seconds, ticks = _clock(parts)
    users = {part.words[0]: clean(part.words[1]) for part in parts if part.name == "user" and len(part.words) == 2}
    found = [_process(part, seconds, ticks) for part in parts if part.name == "process"]
    shown = tuple(replace(one, user=users.get(one.user or "", one.user)) for one in found if one is not None)
    if not shown:
        raise broken(KIND, result.stdout)
    hidden = any(part.name == "hidden" for part in parts)
    detail = "only this login's own processes can be seen: /proc is mounted with hidepid" if hidden else ""
    return Finding(KIND, SectionStatus.OK, shown, detail)


def _clock(parts: list[Section]) -> tuple[float | None, int]:
    """Seconds of uptime between the two readings (None where unknown), and ticks a second."""
    for part in parts:
        if part.name == "uptime" and len(part.words) == 3:
            before, now = decimal(part.words[0]), decimal(part.words[1])
            ticks = whole(KIND, part.words[2], 100000)
            if before is None or now is None or ticks == 0:
                break
            return (now - before if now - before >= 0.1 else None), ticks
    raise broken(KIND, "no uptime")


def _process(part: Section, seconds: float | None, ticks: int) -> ProcessFigures | None:
    if len(part.words) != 2:
        raise broken(KIND, " ".join(part.words))
    status: dict[str, str] = {}
    for line in part.lines:
        found = _STATUS.fullmatch(line)
        if found is None:
            raise broken(KIND, line)
        status[found[1]] = found[2].strip()
    if "Name" not in status:
        return None  # it ended before its status was read
    used = None if part.words[1] == "-" else whole(KIND, part.words[1], _LIMIT)
    memory = status.get("VmRSS", "")
    if memory and not memory.endswith(" kB"):
        raise broken(KIND, memory)
    uid = status.get("Uid", "").split("\t")[0]
    threads = status.get("Threads")
    return ProcessFigures(
        pid=whole(KIND, part.words[0], _LIMIT),
        name=clean(status["Name"]),
        user=str(whole(KIND, uid, _LIMIT)) if uid else None,
        state=clean(status["State"][:1]) if status.get("State") else None,
        cpu_pct=100.0 * used / ticks / seconds if used is not None and seconds is not None else None,
        rss=whole(KIND, memory[:-3].strip(), _LIMIT) * 1024 if memory else None,
        threads=whole(KIND, threads, _LIMIT) if threads else None,
    )


PROCESSES = Collector(KIND, script(_SCRIPT), parse, interval_s=30.0, max_output=1 << 16)
