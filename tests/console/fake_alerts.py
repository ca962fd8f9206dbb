"""Alerts made up for drawing: one in each state and severity."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.models import Alert, AlertChange
from core.models.alerts import alert_key, worst_first


def make_alerts(now: datetime) -> tuple[Alert, ...]:
    """Return one alert in each state."""

    def made(rule: str, host: str, item: str, severity: str, text: str, minutes: float, **more: object) -> Alert:
        key, raised = alert_key(rule, host, item), now - timedelta(minutes=minutes)
        step = AlertChange(key, raised, "raised", severity, text)  # type: ignore[arg-type]
        return Alert(
            key, rule, host, item, severity, text, raised, now, changes=(step,), **more  # type: ignore[arg-type]
        )  # fmt: skip

    hour = timedelta(hours=1)
    return tuple(
        sorted(
            (
                made("disk-filling", "db-01", "/var", "error", "/var full in 1 d 4 h (71% now)", 12,
                     title="filesystem fills up", limit="under 3 d, for 5 s", advice="see what writes"),
                made("disk-full", "web-02", "/", "warning", "/ 92% full", 90, title="filesystem nearly full",
                     limit="from 90%, for 1 min", advice="find what grew", forecast="full in 3 h 20 min"),
                made("unit-failed", "web-01", "nginx.service", "warning", "nginx.service failed (signal)", 5,
                     title="unit failed", limit="for 30 s", flapping=3, advice="systemctl status"),
                made("memory-short", "cache-01", "", "warning", "memory and swap 96% used", 200,
                     title="memory and swap nearly used up", acked=now - hour, acked_by="anna",
                     note="[red]known[/red], more memory ordered"),
                made("cpu-busy", "build-01", "", "warning", "CPU 99% busy", 300, title="CPU busy all the time",
                     silenced=now - hour, silenced_until=now + hour),
                made("host-away", "lab-arm64", "", "error", "filtered: nothing answers", 30, title="host away",
                     hidden="most hosts are away"),
                made("reboot-needed", "mq-01", "", "info", "a reboot is due", 5000, title="reboot due"),
                made("database-away", "", "", "error", "connection refused", 50, title="database away",
                     resolved=now - timedelta(minutes=20)),
            ),
            key=worst_first,
        )
    )  # fmt: skip
