"""The collectors' scripts under the shells that hosts have, with stand-ins for the tools that this machine lacks.

The stand-ins print captures; what is tested is that each shell asks the tools the same and puts the same marks.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from core.collectors.catalog import COLLECTORS, Collector, proxies_of, services_of
from core.models import Finding, ProxiesFigures, SectionStatus, UpdateFigures, ZfsFigures
from core.ports import CommandResult
from tests.collectors.captures import load, picture
from tests.parts import need

RUN_BY = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"], "ksh": ["ksh"]}
LOGIN = {
    "bash": ["bash"], "dash": ["dash"], "busybox": ["busybox", "ash"], "fish": ["fish"], "tcsh": ["tcsh"],
    "zsh": ["zsh"], "ksh": ["ksh"],
}  # fmt: skip
UNIT_LINES = r"""dev-x\x2dnew.swap loaded failed failed Swap
backup.service loaded failed failed Nightly backup
* srv-data.mount loaded failed failed /srv/data
"""
TOOLS = {
    "systemctl": f"""case $1 in
--failed) cat <<'END'
{UNIT_LINES}END
;;
show) while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done; shift; echo "$*" >&2; n=
for u; do printf '%s' "$n"; printf 'Id=%s\\nActiveState=failed\\n' "$u"; n='
'; done;; esac""",
    "zpool": "case $1 in list) printf 'tank\\t10\\t4\\t6\\t-\\t40\\tONLINE\\n';; *) cat \"$0.status\";; esac",
    "zfs": "printf 'tank\\tfilesystem\\t4\\t6\\t4\\t0\\tyes\\t/tank\\n'",
    "docker": 'case $1 in ps) cat "$0.ps";; *) cat "$0.stats";; esac',
    "podman": "echo '[]'",
    "smartctl": """case "$*" in
--scan) echo '/dev/sda -d scsi # /dev/sda, SCSI device'; echo '/dev/bus/0 -d megaraid,8 # x';;
*' -d auto /dev/sda'|*' -d megaraid,8 /dev/bus/0') cat "$0.json";; esac""",
    "apt-get": "echo 'Inst bash [1-1] (1-2 Debian-Security:12/stable-security [amd64])'",
    "stat": "echo 100",
    "sleep": "exec /bin/sleep 0.2",
    "who": "echo 'kim      pts/0        2026-01-01 10:11 (192.0.2.1)'",
    "ss": 'cat "$0.out"',
    "openssl": """case "$*" in *-enddate*' -in '*/live/example.org/fullchain.pem)
printf 'notAfter=Mar 31 23:59:59 2099 GMT\\nissuer=CN = R11\\n';;
*) echo '  DNS:example.org, DNS:*.example.org';; esac""",
    "sudo": '[ "$1" = -n ] || exit 1; shift; exec "$@"',
}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stand-ins, to come first in PATH."""
    folder = tmp_path_factory.mktemp("tools")
    for name, body in TOOLS.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(stat.S_IRWXU)
    docker = load("containers/docker-18-no-state").text.split(b"\n")
    (folder / "docker.ps").write_bytes(b"\n".join(docker[1:3]) + b"\n")
    (folder / "docker.stats").write_bytes(docker[6] + b"\n")
    (folder / "zpool.status").write_bytes(load("zpool-status/mirror-with-log-and-spare").text)
    (folder / "smartctl.json").write_bytes(load("smartctl/ata-healthy").text)
    (folder / "ss.out").write_bytes(
        b"\n".join(load("ports/ubuntu-stub-and-link-local").text.split(b"\n")[1:-2]) + b"\n"
    )
    confs = folder / "swag" / "nginx" / "proxy-confs"
    confs.mkdir(parents=True)
    (folder / "swag/etc/letsencrypt/live/example.org").mkdir(parents=True)
    text = "# a comment\nlocation /wiki {\n  set $app wiki; proxy_pass http://$app:3000;\n}\n@jw end\n"
    for name in ("wiki.subfolder.conf", "wiki.subfolder.conf.sample", "odd $(name) x.conf", "notes.txt"):
        (confs / name).write_text(text)
    return folder


def run(collector: Collector, tools: Path, login: list[str], runs: list[str] | None = None, *, root: bool) -> Finding:
    """Run the collector as sshd would, by a login shell; ``runs`` is the shell that ``sh`` is to be."""
    if collector.name == "proxies":
        collector = proxies_of(str(tools / "swag"))
    need(login[0], shutil.which(login[0]) is not None, f"install {login[0]}")
    path = str(tools)
    if runs is not None:
        need(runs[0], shutil.which(runs[0]) is not None, f"install {runs[0]}")
        shells = tools / f"sh-{runs[0]}"
        shells.mkdir(exist_ok=True)
        if not (shells / "sh").exists():
            (shells / "sh").write_text(f'#!/bin/sh\nexec {shutil.which(runs[0])} {" ".join(runs[1:])} "$@"\n')
            (shells / "sh").chmod(stat.S_IRWXU)
        path = f"{shells}:{path}"
    done = subprocess.run(
        [*login, "-c", shlex.join(collector.command(root=root))],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": f"{path}:{os.environ['PATH']}", "HOME": str(tools), "LANG": "de_DE.UTF-8"},
        timeout=60,
    )
    result = CommandResult(done.returncode, done.stdout.decode(), done.stderr.decode())
    finding = collector.read(result)
    assert finding.status is not SectionStatus.BROKEN, (finding.detail, result)
    return finding


def judge(kind: str, finding: Finding) -> None:
    """Whether the stand-ins' figures came through."""
    if kind in ("sessions", "drives") and finding.status is not SectionStatus.OK:
        assert kind == "sessions" and not os.path.exists("/var/run/utmp")
        return
    if kind == "updates" and finding.status is SectionStatus.ABSENT:
        assert "no package lists" in finding.detail  # this machine's own, of which the script asks the age
        return
    assert finding.status is SectionStatus.OK, finding
    shown = picture(finding)
    match finding.value:
        case ZfsFigures(pools, datasets):
            assert (pools[0].size, pools[0].scan[:5], datasets and datasets[0].mount) == (10, "scrub", "/tank")
        case UpdateFigures(pending=pending, security=security):
            assert (pending, security) == (1, 1)
        case ProxiesFigures((wiki,), (certificate,), samples):
            assert (wiki.paths, wiki.upstreams, samples) == (("/wiki",), ("http://wiki:3000",), 1)
            assert not wiki.problem, "what looks like a mark within a file is none"
            assert certificate.not_after is not None and certificate.not_after.year == 2099
            assert certificate.names == ("example.org", "*.example.org")
        case _:
            assert kind != "proxies", finding
    if kind == "services":
        units = ["backup.service", r"dev-x\x2dnew.swap", "nginx.service", "srv-data.mount"]
        assert [unit["unit"] for unit in shown["value"]] == units
    elif kind == "containers":
        expected = load("containers/docker-18-no-state").told["read"]["value"]
        assert sorted(one["name"] for one in shown["value"]) == sorted(one["name"] for one in expected)
        assert [one["cpu_pct"] for one in shown["value"] if one["name"] == "web"] == [203.41]
    elif kind == "drives":
        assert [d["device"] for d in shown["value"]][:2] == ["/dev/sda", "/dev/bus/0 [megaraid,8]"]
        assert shown["value"][0]["power_on_h"] == 38701
    elif kind == "ports":
        assert shown["value"] == load("ports/ubuntu-stub-and-link-local").told["read"]["value"]
    elif kind == "processes":
        assert any(one.get("rss") for one in shown["value"]) and any("cpu_pct" in one for one in shown["value"])


KINDS = {**COLLECTORS, "services": services_of(["nginx"])}


@pytest.mark.parametrize("shell", RUN_BY)
@pytest.mark.parametrize("kind", KINDS)
def test_every_script_under_every_sh(kind: str, shell: str, tools: Path) -> None:
    judge(kind, run(KINDS[kind], tools, ["sh"], RUN_BY[shell], root=False))


@pytest.mark.parametrize("shell", LOGIN)
@pytest.mark.parametrize("kind", KINDS)
def test_every_script_by_every_login_shell(kind: str, shell: str, tools: Path) -> None:
    judge(kind, run(KINDS[kind], tools, LOGIN[shell], root=True))


@pytest.mark.parametrize("awk", ["mawk", "gawk", "busybox"])
def test_processes_by_every_awk(awk: str, tools: Path, tmp_path: Path) -> None:
    if shutil.which(awk) is None:
        pytest.skip(f"{awk} is not there; the machine's own awk is tested above")
    word = "busybox awk" if awk == "busybox" else awk
    (tmp_path / "awk").write_text(f'#!/bin/sh\nexec {word} "$@"\n')
    (tmp_path / "awk").chmod(stat.S_IRWXU)
    (tmp_path / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.2\n")
    (tmp_path / "sleep").chmod(stat.S_IRWXU)
    judge("processes", run(COLLECTORS["processes"], tmp_path, ["sh"], root=False))


@pytest.mark.parametrize("collector", KINDS.values(), ids=list(KINDS))
def test_scripts_are_single_lines_that_every_login_shell_takes(collector: Collector) -> None:
    for word in collector.command(root=True):
        assert word.isascii() and word.isprintable()
        assert "!" not in word and "\\\\" not in word and "\\'" not in word
