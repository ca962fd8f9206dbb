"""The rules that hold without a word from anybody: what a sysadmin wants to be woken for, and little else."""

from __future__ import annotations

from core.alerts.rules import Rule

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0

HOST_AWAY, HOSTS_AWAY, KEY_CHANGED = "host-away", "hosts-away", "host-key-changed"

# What is already a verdict (a failed unit, a degraded pool) is believed sooner than a figure that moves by itself.
DEFAULTS: tuple[Rule, ...] = (
    Rule(
        HOSTS_AWAY, "hosts.away_pct", "most hosts are away at once", error=80, slack=20, for_s=45, clear_s=30,
        advice="look at this machine's own network first; the single hosts are not told meanwhile",
    ),
    Rule(
        HOST_AWAY, "host.away", "host away", error=1, for_s=2 * MINUTE, clear_s=30,
        advice="the Host pane says why and when the next try is; r on the host tries at once",
    ),
    Rule(
        KEY_CHANGED, "host.key_changed", "host key changed", error=1, samples=1,
        advice="h shows old and new key: reinstalled, or somebody in between?",
    ),
    Rule(
        "disk-full", "disk.pct", "filesystem nearly full", warning=90, error=97, slack=2, for_s=MINUTE,
        clear_s=MINUTE, advice="find what grew: du -xh --max-depth=1, or deleted files still open: lsof +L1",
    ),
    Rule(
        "disk-filling", "disk.full_in", "filesystem fills up", warning=3 * DAY, error=2 * HOUR, below=True,
        slack=HOUR, for_s=5, clear_s=2 * MINUTE, samples=2,
        advice="see in the past when it began ([), then what writes: processes and disks of the host",
    ),
    Rule(
        "inodes-full", "disk.inodes_pct", "inodes nearly used up", warning=90, error=97, slack=2, for_s=MINUTE,
        clear_s=MINUTE, advice="many small files: du --inodes -x, mail queues, session and cache folders",
    ),
    Rule(
        "memory-short", "memory.with_swap_pct", "memory and swap nearly used up", warning=93, error=97, slack=3,
        for_s=5 * MINUTE, clear_s=2 * MINUTE, samples=3,
        advice="the processes by memory stand on the Host pane; the kernel kills one when nothing is left",
    ),
    Rule(
        "memory-stalls", "memory.stalls_pct", "processes wait for memory", warning=20, error=60, slack=5,
        for_s=3 * MINUTE, clear_s=2 * MINUTE, samples=3, advice="it swaps or reclaims: the processes by memory",
    ),
    Rule(
        "disk-stalls", "disk.stalls_pct", "processes wait for disks", warning=70, slack=15, for_s=10 * MINUTE,
        clear_s=5 * MINUTE, samples=5, advice="the disks of the host: one that is busy and moves little may fail",
    ),
    Rule(
        "cpu-busy", "cpu.pct", "CPU busy all the time", warning=95, slack=5, for_s=15 * MINUTE, clear_s=3 * MINUTE,
        samples=5, advice="the processes by CPU stand on the Host pane",
    ),
    Rule(
        "load-high", "cpu.load", "more work than CPUs", warning=4, slack=1, for_s=15 * MINUTE, clear_s=5 * MINUTE,
        samples=5, advice="many that run, or many that wait for a disk: processes and disks of the host",
    ),
    Rule(
        "unit-failed", "unit.failed", "unit failed", warning=1, for_s=30, clear_s=0,
        advice="systemctl status UNIT and journalctl -u UNIT say why",
    ),
    Rule(
        "unit-restarting", "unit.restarts", "unit restarts again and again", warning=3, over_s=10 * MINUTE, samples=1,
        clear_s=10 * MINUTE, advice="journalctl -u UNIT: the last lines before each end",
    ),
    Rule(
        "container-unhealthy", "container.unhealthy", "container unhealthy", warning=1, for_s=MINUTE,
        advice="docker inspect NAME shows what its health check said",
    ),
    Rule(
        "container-restarting", "container.restarting", "container in a restart loop", warning=1, for_s=1.5 * MINUTE,
        clear_s=MINUTE, samples=3, advice="docker logs --tail 50 NAME; exit 137 is often the memory limit",
    ),
    Rule(
        "drive-failing", "drive.failing", "drive or array fails", error=1, samples=1,
        advice="see that the backup is good, then replace the drive",
    ),
    Rule(
        "drive-worn", "drive.problems", "drive with errors", warning=1, samples=1,
        advice="watch whether the counts grow; a cable where it is CRC errors alone",
    ),
    Rule(
        "zfs-degraded", "zfs.degraded", "ZFS pool degraded", error=1, samples=1,
        advice="zpool status says which device; the pool runs without the safety it should have",
    ),
    Rule("zfs-full", "zfs.pct", "ZFS pool nearly full", warning=85, error=95, slack=2, samples=1,
         advice="ZFS gets slow when nearly full: old snapshots (zfs list -t snapshot)"),
    Rule("reboot-needed", "updates.reboot", "reboot due", info=1, samples=1, advice="at the next maintenance window"),
    Rule(
        "clock-off", "clock.off_s", "clock off", warning=5, error=60, slack=1, for_s=5 * MINUTE, clear_s=MINUTE,
        samples=3, advice="is chrony or systemd-timesyncd running on it? timedatectl",
    ),
    Rule(
        "certificate-ends", "certificate.left", "certificate ends soon", warning=14 * DAY, error=3 * DAY, below=True,
        samples=1, advice="renew it, and see why that did not happen by itself",
    ),
    Rule("check", "check.state", "check not ok", warning=1, error=2, samples=2, advice="what the plugin says"),
    Rule(
        "collector-silent", "collector.silent", "no news from a collector", warning=10 * MINUTE, samples=2,
        advice="r on the host asks it again; the foot of the Host pane says what is missing",
    ),
    Rule(
        "collector-broken", "collector.broken", "a collector does not answer", warning=1, for_s=5 * MINUTE, samples=3,
        advice="a command that hangs, often on a dead network mount",
    ),
    Rule("database-away", "database.away", "database away", error=1, for_s=MINUTE, clear_s=5,
         advice="samples wait in the spool on disk meanwhile; 5 shows the database's own words"),
    Rule(
        "spool-growing", "spool.samples", "the spool grows", warning=1, over_s=5 * MINUTE, for_s=2 * MINUTE,
        clear_s=MINUTE, advice="the database is away or too slow to take what comes",
    ),
    Rule("samples-lost", "samples.lost", "samples lost", warning=1, over_s=10 * MINUTE, samples=1, clear_s=10 * MINUTE,
         advice="the Events pane has the reason"),
    Rule("job-failed", "database.job_failed", "database job failed", warning=1, samples=1,
         advice="5 shows its last error, J runs it again"),
)  # fmt: skip
