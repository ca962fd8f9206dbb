"""jumpwatch hosts: add, list, set, maintenance, remove, check, accept."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from console.commands.output import print_json, print_table, say
from console.commands.setup import actor, chosen_hosts, command_settings, run, settings_from
from console.formatting import moment
from core.config.types import parse_duration
from core.exceptions import SSHHostKeyError, ValidationError
from core.inventory import Inventory
from core.models import Host, PlanRequest

if TYPE_CHECKING:
    from console.composition.oneshot import HostCheck
    from core.config import ApplicationSettings
    from core.models import HostKeyReview

_MIN_SPAN, _MAX_SPAN = timedelta(minutes=1), timedelta(days=365)
_ROUNDS = 8  # keys and passwords of jump hosts come one after the other, a code after a password


def add(args: argparse.Namespace) -> int:
    """Add hosts to the inventory."""
    settings = settings_from(args)
    if len(args.names) > 1 and args.address:
        raise ValidationError("--address goes with one name")
    with Inventory.edit(settings.inventory_file) as inventory:
        for name in args.names:
            inventory.add(
                Host(
                    name=name,
                    address=args.address or "",
                    port=args.port,
                    user=args.user,
                    groups=tuple(args.group),
                    tags=tuple(args.tag),
                    interval_s=args.interval,
                    identity_files=tuple(args.identity),
                    known_hosts=args.known_hosts,
                    maintenance=args.maintenance,
                )
            )
    say(f"added {', '.join(args.names)} to {settings.inventory_file}")
    return 0


def remove(args: argparse.Namespace) -> int:
    """Take hosts out of the inventory; stored history stays."""
    settings = settings_from(args)
    with Inventory.edit(settings.inventory_file) as inventory:
        for name in args.names:
            inventory.remove(name)
    say(f"removed {', '.join(args.names)} from {settings.inventory_file}; their history stays in the database")
    return 0


def list_(args: argparse.Namespace) -> int:
    """Print the inventory."""
    settings = settings_from(args)
    now = datetime.now(UTC)
    hosts = [host.at(now) for host in picked(Inventory.load(settings.inventory_file), args.group, args.tag)]
    if args.json:
        print_json(hosts)
        return 0
    rows = [
        (h.name, h.address, str(h.port or ""), h.user or "", " ".join(h.groups), " ".join(h.tags), _note(h))
        for h in hosts
    ]
    print_table(("NAME", "ADDRESS", "PORT", "USER", "GROUPS", "TAGS", "NOTE"), rows)
    if not hosts:
        say("no hosts yet: `jumpwatch hosts add NAME`, or `jumpwatch hosts import`")
    return 0


def picked(inventory: Inventory, group: str | None, tag: str | None) -> list[Host]:
    """Return the hosts of a group and a tag, where those are given; a word that no host has is an error."""
    wanted = [f"group:{group}"] * (group is not None) + [f"tag:{tag}"] * (tag is not None)
    chosen = [{host.name for host in inventory.having(each)} for each in wanted]
    return [host for host in inventory.hosts if all(host.name in names for names in chosen)]


def _note(host: Host) -> str:
    if not host.maintenance:
        return ""
    return "maintenance" + (f" until {moment(host.maintenance_until)} UTC" if host.maintenance_until else "")


def set_(args: argparse.Namespace) -> int:
    """Change settings of one host, or of all of a group or tag."""
    from core.inventory.merge import changed_field

    settings = settings_from(args)
    with Inventory.edit(settings.inventory_file) as inventory:
        hosts = inventory.chosen(args.target)
        changed = []
        for host in hosts:
            for setting in args.settings:
                host = changed_field(host, setting)
            if inventory.update(host):
                changed.append(host.name)
    left = f", {len(hosts) - len(changed)} had it already" if len(changed) < len(hosts) else ""
    say(f"changed {', '.join(changed) or 'nothing'} in {settings.inventory_file}{left}")
    return 0


def maintenance(args: argparse.Namespace) -> int:
    """Put hosts into maintenance, or take them out of it; a running console follows, and the audit tells of it."""
    from console import composition
    from core.inventory.keeper import set_maintenance

    settings = command_settings(args)
    on = args.switch == "on"
    if args.span is not None and not on:
        raise ValidationError("--for goes with on")
    until = None if args.span is None else _end(args.span)
    inventory = Inventory.load(settings.inventory_file)
    names = list(dict.fromkeys(host.name for target in args.targets for host in inventory.chosen(target)))
    arguments = {"hosts": " ".join(names)} | ({"until": until.isoformat()} if until else {})
    untold = run(composition.audited(settings, PlanRequest(f"maintenance.{args.switch}", arguments), actor()))
    hosts = set_maintenance(settings.inventory_file, names, on, until)  # done already, unless the database is away
    if untold:
        say(f"jumpwatch: no audit row was written: {untold}")
    if args.json:
        print_json(hosts)
    else:
        print_table(("NAME", "NOTE"), [(host.name, _note(host) or "watched") for host in hosts])
    return 0


def _end(span: str) -> datetime:
    length = parse_duration(span)
    if not isinstance(length, timedelta) or not _MIN_SPAN <= length <= _MAX_SPAN:
        raise ValidationError(f"--for {span[:40]!r} must be a time from 1 minute to 365 days, such as 90m, 2h or 3d")
    return (datetime.now(UTC) + length).replace(microsecond=0)


def check(args: argparse.Namespace) -> int:
    """Try to log in to each host; unknown keys can be accepted by fingerprint or, on a terminal, by answering."""
    settings = command_settings(args)
    hosts = chosen_hosts(settings, args.names, args.group)
    return _check(settings, hosts, _wanted(args.accept), as_json=args.json)


def accept(args: argparse.Namespace) -> int:
    """Accept one host's key by its fingerprint, and check the host again."""
    settings = command_settings(args)
    hosts = chosen_hosts(settings, [args.name])
    return _check(settings, hosts, _wanted([f"{args.name}={args.fingerprint}"]), as_json=args.json)


def _check(settings: ApplicationSettings, hosts: list[Host], wanted: dict[str, str], *, as_json: bool) -> int:
    from console import composition
    from console.commands.asking import answer_all

    ask = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    secrets = composition.new_secrets(settings, say)
    checks = run(composition.check_hosts(settings, hosts, secrets))
    for _ in range(_ROUNDS):
        taken = [r for c in checks if c.review and not c.review.changed and _taken(r := c.review, wanted, ask=ask)]
        _accept_all(taken)
        again = {c.host.name for c in checks if c.review in taken}
        if ask:
            again |= answer_all(secrets)
        if not again:
            break
        fresh = run(composition.check_hosts(settings, [h for h in hosts if h.name in again], secrets))
        by_name = {one.host.name: one for one in fresh}
        checks = [by_name.get(one.host.name, one) for one in checks]
    _report(checks, as_json=as_json)
    return 0 if all(one.ok for one in checks) else 3


def _accept_all(reviews: list[HostKeyReview]) -> None:
    """Append the keys to their known_hosts; only keys of places of which nothing is known come here."""
    from core.ssh.known_hosts import append_line, stored_line

    for review in reviews:
        append_line(Path(review.known_hosts), stored_line(review))
        say(f"accepted {review.fingerprint} ({review.key_type}) for {review.address}, in {review.known_hosts}")


def _wanted(given: list[str]) -> dict[str, str]:
    wanted = {}
    for text in given:
        name, separator, fingerprint = text.partition("=")
        if not separator or not fingerprint.startswith("SHA256:") or len(fingerprint) < 20:
            raise ValidationError(
                f"{text[:100]!r} must be HOST=SHA256:FINGERPRINT, as `jumpwatch hosts check` shows it"
            )
        wanted[name] = fingerprint
    return wanted


def _taken(review: HostKeyReview, wanted: dict[str, str], *, ask: bool) -> bool:
    fingerprint = wanted.pop(review.host, None)
    if fingerprint is not None:
        if fingerprint == review.fingerprint:
            return True
        raise SSHHostKeyError(
            f"{review.host} offers {review.fingerprint}, not the fingerprint given: nothing was accepted",
            hostname=review.host,
        )
    if not ask:
        return False
    say(f"{review.host} ({review.address} port {review.port}): unknown {review.key_type} key {review.fingerprint}")
    if review.dns:
        say(review.dns)
    say("Compare it with what the host itself says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    try:
        return input("Accept this key? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _report(checks: list[HostCheck], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {"host": c.host.name, "ok": c.ok, "reason": c.reason, "detail": c.detail, "review": c.review}
                for c in checks
            ]
        )
    else:
        rows = [(c.host.name, "ok" if c.ok else "FAILED", str(c.reason.value), c.detail) for c in checks]
        print_table(("HOST", "RESULT", "REASON", "DETAIL"), rows)
    for review in (one.review for one in checks if one.review):
        if review.changed:
            place = review.address if review.port == 22 else f"[{review.address}]:{review.port}"
            say(
                f"{review.host}: the key of {review.address} CHANGED from {', '.join(review.old_fingerprints)} to "
                f"{review.fingerprint}. Ask who runs the host; only if the change is meant: ssh-keygen -R "
                f"{place} -f {review.known_hosts}"
            )
        else:
            say(f"{review.host}: to accept its key: jumpwatch hosts accept {review.host} {review.fingerprint}")
