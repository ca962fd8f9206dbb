"""jumpwatch hosts import and export: other lists of hosts in, and out."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.commands.hosts import picked
from console.commands.output import print_json, print_table, say
from console.commands.setup import settings_from
from core.exceptions import InfrastructureException, ValidationError
from core.inventory import Inventory
from core.inventory.disk import user_path, write_text
from core.inventory.export import export_hosts
from core.inventory.formats import read_hosts, read_hosts_bytes
from core.inventory.merge import plan_import
from core.inventory.reading import MAX_IMPORT_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.inventory.merge import ImportPlan
    from core.inventory.reading import Reading


def import_(args: argparse.Namespace) -> int:
    """Take hosts from a file into the inventory; --dry-run only reports."""
    settings = settings_from(args)
    if args.file == "-":
        reading = read_hosts_bytes(sys.stdin.buffer.read(MAX_IMPORT_BYTES + 1), "<stdin>", args.format)
    else:
        path = Path(args.file) if args.file else settings.ssh.config_file
        reading = read_hosts(path, args.format if args.file or args.format else "ssh_config")
    if args.dry_run:
        plan = _planned(Inventory.load(settings.inventory_file), reading, args)
    else:
        with Inventory.edit(settings.inventory_file) as inventory:
            plan = _planned(inventory, reading, args)
            for found in plan.added:
                inventory.add(found.host)
            for changed in plan.changed:
                inventory.update(changed.host)
    _report(plan, dry_run=args.dry_run, as_json=args.json)
    if not reading.found:
        say("the file names no host that can be watched")
        return 1
    if args.file and reading.format == "ssh_config" and not _read_for_logins(reading.files, settings.ssh.config_file):
        say(
            f"an ssh_config gives only names: addresses, users and keys are read from {settings.ssh.config_file}, "
            "which does not include this file; include it there, or set JUMPWATCH_SSH_CONFIG_FILE to it"
        )
    return 0


def _read_for_logins(files: Sequence[Path], config: Path) -> bool:
    """Tell whether the ssh_config that is read at every login has these files in it."""
    try:
        known = {path.resolve() for path in read_hosts(config, "ssh_config").files}
    except InfrastructureException:  # missing, or not to be read
        known = set()
    return all(path.resolve() in known for path in files)


def _planned(inventory: Inventory, reading: Reading, args: argparse.Namespace) -> ImportPlan:
    existing = {host.name: host for host in inventory.hosts}
    return plan_import(existing, reading, groups=tuple(args.group), tags=tuple(args.tag))


def _report(plan: ImportPlan, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "format": plan.format,
                "dry_run": dry_run,
                "added": [{"where": one.where, "host": one.host} for one in plan.added],
                "changed": [{"where": one.where, "host": one.host, "gains": one.gains} for one in plan.changed],
                "kept": plan.kept,
                "skipped": plan.skipped,
            }
        )
    else:
        would = "would be " if dry_run else ""
        rows = [(one.host.name, f"{would}added", one.where) for one in plan.added]
        rows += [(one.host.name, f"{would}changed: {', '.join(one.gains)}", one.where) for one in plan.changed]
        rows += [(one.name, _kept(one.differs), one.where) for one in plan.kept]
        rows += [(one.name, f"skipped: {one.why}", one.where) for one in plan.skipped]
        if rows:
            print_table(("NAME", "RESULT", "WHERE"), rows)
    done = "to be " if dry_run else ""
    alike = sum(not one.differs for one in plan.kept)
    say(
        f"{plan.format}: {len(plan.added)} hosts {done}added, {len(plan.changed)} {done}changed, {alike} as they were, "
        f"{len(plan.kept) - alike} kept though the file differs, {len(plan.skipped)} entries skipped"
    )


def _kept(differs: tuple[str, ...]) -> str:
    return f"kept as set here: {', '.join(differs)}" if differs else "is in the inventory already"


def export(args: argparse.Namespace) -> int:
    """Write the inventory in a form that others read, to a new file or to stdout."""
    settings = settings_from(args)
    hosts = picked(Inventory.load(settings.inventory_file), args.group, args.tag)
    text = export_hosts(tuple(host.at(datetime.now(UTC)) for host in hosts), args.format)
    if not args.file or args.file == "-":
        sys.stdout.write(text)
    else:
        path = user_path(args.file)
        if path.is_dir():
            raise ValidationError(f"{path} is a folder: name a file")
        write_text(path, text, replace=args.force)
        say(f"wrote {len(hosts)} hosts to {path}")
    if not hosts:
        say("no hosts to write: `jumpwatch hosts add NAME`, or `jumpwatch hosts import`")
    return 0
