"""The command line: one parser, exit codes, and the edge where every error becomes one clear line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from console.commands.upkeep_parser import add_upkeep
from core import exceptions as errors

# Nothing heavy is imported here: `jumpwatch --help` and the first paint of the console must come at once.

IMPORTS = ("toml", "ssh_config", "ansible-ini", "ansible-yaml", "csv", "known_hosts")
EXPORTS = ("toml", "csv", "ansible-ini", "ansible-yaml", "ssh_config")
OK, FAILURE, USAGE, CONNECTION, TIMEOUT, INTERRUPTED = 0, 1, 2, 3, 4, 130
_EXIT_CODES: tuple[tuple[tuple[type[errors.InfrastructureException], ...], int], ...] = (
    ((errors.DatabaseTimeoutError, errors.SSHTimeoutError), TIMEOUT),
    (
        (
            errors.DatabaseConnectionError,
            errors.SSHConnectionError,
            errors.SSHAuthenticationError,
            errors.SSHHostKeyError,
            errors.DeviceOfflineError,
        ),
        CONNECTION,
    ),
    ((errors.ConfigurationError, errors.ValidationError), USAGE),
)
_EPILOG = """exit codes: 0 ok, 1 failure, 2 usage or settings, 3 connection, 4 timeout, 130 interrupted
settings: flags, then JUMPWATCH_* variables, then .env, then config.toml in the config folder
(`jumpwatch config path` prints where they are, `jumpwatch config show` what they say)"""


class _Version(argparse.Action):
    """--version, which looks the version up only when asked."""

    def __init__(self, option_strings: Sequence[str], dest: str = argparse.SUPPRESS, **_: object) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"jumpwatch {version('jumpwatch')}")
        except PackageNotFoundError:
            print("jumpwatch (run from its source, not installed)")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; each command names the function that runs it as "module:function"."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False)
    common.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML) to use")
    common.add_argument("--database-url", metavar="URL", help="postgresql:// URL; may be seen by other users in ps")
    parser = argparse.ArgumentParser(
        prog="jumpwatch",
        description="Watch hosts over plain SSH, keep their history in TimescaleDB. Without a command: the console.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version)
    _plain(parser)
    parser.set_defaults(run="console.commands.screen:console", json=False)
    commands = parser.add_subparsers(metavar="COMMAND")
    demo = _add(commands, "demo", "screen:demo", "the console over a simulated fleet, with ten days of history", common)
    _plain(demo)
    _hosts(_group(commands, "hosts", "the inventory and the way to its hosts", common), common)
    _db(_group(commands, "db", "the database that keeps the history", common), common)
    poll = _add(commands, "poll", "poll:poll", "poll hosts without the screen", common, as_json=True)
    poll.add_argument("names", nargs="*", metavar="HOST", help="hosts to poll (default: all)")
    poll.add_argument("--once", action="store_true", help="one sample of each host, then exit")
    poll.add_argument("--group", metavar="GROUP", help="only hosts of this group")
    _add(commands, "collect", "collect:collect", "poll and store without a screen until stopped", common)
    audit = _add(commands, "audit", "collect:audit", "the actions that were run, newest first", common, as_json=True)
    audit.add_argument("--last", type=int, default=50, metavar="N", help="at most so many (default 50)")
    config = _group(commands, "config", "the settings in force", common)
    _add(config, "show", "config:show", "every setting and where it came from", common, as_json=True)
    _add(config, "path", "config:path", "files and folders in use", common, as_json=True)
    _add(
        config, "validate", "config:validate", "read all settings and say what is wrong with them", common, as_json=True
    )
    _add(config, "keys", "config:keys", "the names of the keys that can be bound anew", common, as_json=True)
    _add(config, "schema", "config:schema", "print the settings' JSON Schema", common)
    return parser


Subparsers = argparse._SubParsersAction  # what add_subparsers returns; argparse has no public name for it


def _add(
    commands: Subparsers[argparse.ArgumentParser],
    name: str,
    target: str,
    text: str,
    common: argparse.ArgumentParser,
    *,
    as_json: bool = False,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=f"{text}.", parents=[common], allow_abbrev=False)
    parser.set_defaults(run=f"console.commands.{target}")
    if as_json:
        parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _plain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plain", action="store_true", default=argparse.SUPPRESS, help="lines of text, for screen readers; no terminal"
    )


def _group(
    commands: Subparsers[argparse.ArgumentParser], name: str, text: str, common: argparse.ArgumentParser
) -> Subparsers[argparse.ArgumentParser]:
    parser = commands.add_parser(name, help=text, description=f"{text}.", parents=[common], allow_abbrev=False)
    return parser.add_subparsers(metavar="COMMAND", required=True)


def _hosts(group: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    add = _add(group, "add", "hosts:add", "add hosts to the inventory", common)
    add.add_argument("names", nargs="+", metavar="NAME", help="name, as ssh knows it")
    add.add_argument("--address", help="address, where it is not the name")
    add.add_argument("--port", type=int)
    add.add_argument("--user")
    add.add_argument("--group", action="append", default=[], help="may be given several times")
    add.add_argument("--tag", action="append", default=[], help="may be given several times")
    add.add_argument("--interval", type=float, metavar="SECONDS", help="poll at this interval (1 to 3600)")
    add.add_argument("--identity", action="append", default=[], metavar="FILE", help="private key to log in with")
    add.add_argument("--known-hosts", metavar="FILE", help="known_hosts file of this host")
    add.add_argument("--maintenance", action="store_true", help="not polled and never alarming, for now")
    remove = _add(group, "remove", "hosts:remove", "take hosts out of the inventory; their history stays", common)
    remove.add_argument("names", nargs="+", metavar="NAME")
    listing = _add(group, "list", "hosts:list_", "print the inventory", common, as_json=True)
    _group_or_tag(listing)
    setting = _add(group, "set", "hosts:set_", "change settings of hosts", common)
    setting.add_argument("target", metavar="NAME|group:G|tag:T")
    setting.add_argument(
        "settings", nargs="+", metavar="KEY=VALUE", help="KEY= takes it away; lists also take KEY+=WORD and KEY-=WORD"
    )
    maintenance = _add(
        group, "maintenance", "hosts:maintenance", "stop watching hosts for a while, or go on", common, as_json=True
    )
    maintenance.add_argument("switch", choices=("on", "off"))
    maintenance.add_argument("targets", nargs="+", metavar="NAME|group:G|tag:T")
    maintenance.add_argument("--for", dest="span", metavar="TIME", help="ends by itself after 90m, 2h, 3d, ...")
    importing = _add(
        group, "import", "hosts_files:import_", "take hosts from ssh_config, Ansible, CSV or known_hosts", common,
        as_json=True,
    )  # fmt: skip
    importing.add_argument("file", nargs="?", metavar="FILE", help="default: ~/.ssh/config; - reads stdin")
    importing.add_argument("--format", choices=IMPORTS, help="default: as the content tells")
    importing.add_argument("--group", action="append", default=[], help="put them into this group")
    importing.add_argument("--tag", action="append", default=[], help="give them this tag")
    importing.add_argument("--dry-run", action="store_true", help="only report what would be added and changed")
    export = _add(group, "export", "hosts_files:export", "write the inventory for other programs", common)
    export.add_argument("file", nargs="?", metavar="FILE", help="a new file; default: stdout")
    export.add_argument("--format", choices=EXPORTS, default="toml", help="default: toml")
    export.add_argument("--force", action="store_true", help="write over a file that is there")
    _group_or_tag(export)
    check = _add(group, "check", "hosts:check", "try to log in to hosts; review unknown keys", common, as_json=True)
    check.add_argument("names", nargs="*", metavar="HOST", help="hosts to check (default: all)")
    check.add_argument("--group", help="only hosts of this group")
    check.add_argument(
        "--accept", action="append", default=[], metavar="HOST=SHA256:...", help="accept this unknown key"
    )
    probe = _add(group, "probe", "probe:probe", "print the loop for a key that runs nothing else", common, as_json=True)
    probe.add_argument("--path", default="/usr/local/bin/jumpwatch-loop", help="where it is put on the host")
    probe.add_argument("--key", metavar="FILE", help="public key of the login, or the private key beside it")
    probe.add_argument("--line", action="store_true", help="print the line for authorized_keys alone")
    accept = _add(group, "accept", "hosts:accept", "accept the unknown key of a host", common, as_json=True)
    accept.add_argument("name", metavar="HOST")
    accept.add_argument("fingerprint", metavar="SHA256:...")


def _group_or_tag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--group", help="only hosts of this group")
    parser.add_argument("--tag", help="only hosts with this tag")


def _db(group: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    _add(group, "init", "db:init", "set up the database, or bring it up to date", common, as_json=True)
    _add(group, "status", "db:status", "mode, sizes, policies, jobs and health", common, as_json=True)
    _add(group, "doctor", "doctor:doctor", "check health and schema, and say the way out", common, as_json=True)
    chunks = _add(group, "chunks", "db:chunks", "list the chunks", common, as_json=True)
    chunks.add_argument("--table", help="only chunks of this table")
    compress = _action(group, "compress", "compress one chunk, or all past the compression age", common)
    compress.add_argument("chunk", nargs="?", metavar="CHUNK")
    compress.add_argument("--older", action="store_true", help="all chunks past the compression age")
    compress.add_argument("--table", help="with --older: only chunks of this table")
    _action(group, "decompress", "decompress one chunk", common).add_argument("chunk", metavar="CHUNK")
    _action(group, "retention", "drop raw data past its retention", common)
    _action(group, "job", "run one background job now", common).add_argument("job_id", type=int, metavar="ID")
    _action(group, "analyze", "refresh the statistics of one table", common).add_argument("table", metavar="TABLE")
    add_upkeep(lambda name, target, text: _add(group, name, target, text, common, as_json=True))
    backup = _add(group, "backup", "transfer:backup", "write everything into one new file", common, as_json=True)
    backup.add_argument("file", metavar="FILE", help="must not be there yet")
    restore = _add(group, "restore", "transfer:restore", "put a backup into an empty database", common, as_json=True)
    restore.add_argument("file", metavar="FILE")
    roles = _add(group, "roles", "roles:roles", "print SQL for roles that read, write and maintain", common)
    roles.add_argument("--prefix", default="jumpwatch", metavar="NAME", help="what their names begin with")
    migrate = _add(
        group, "migrate-to", "transfer:migrate_to", "copy everything into another database", common, as_json=True
    )
    migrate.add_argument("target", metavar="URL", help="postgresql:// URL of an empty database; - reads it from stdin")


def _action(
    group: Subparsers[argparse.ArgumentParser], name: str, text: str, common: argparse.ArgumentParser
) -> argparse.ArgumentParser:
    parser = _add(group, name, f"db:{name}", f"{text}; prints the plan only, unless --apply", common, as_json=True)
    parser.add_argument("--apply", action="store_true", help="do it (needs --confirm)")
    parser.add_argument("--confirm", metavar="NAME", help="the name that the plan asks for")
    return parser


def exit_code(error: errors.InfrastructureException) -> int:
    """Return the exit code that an error of ours stands for."""
    return next((code for kinds, code in _EXIT_CODES if isinstance(error, kinds)), FAILURE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no traceback reaches the terminal."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character still gets the line
    args = make_parser().parse_args(argv)
    for flag in ("config", "database_url", "plain"):
        setattr(args, flag, getattr(args, flag, None))
    module, _, function = args.run.partition(":")
    try:
        code: int = getattr(import_module(module), function)(args)
        sys.stdout.flush()
        return code
    except errors.InfrastructureException as error:
        return _complain(error.message, exit_code(error))
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing to say, and Python's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except TimeoutError as error:
        return _complain(str(error) or "took too long", TIMEOUT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}", FAILURE)
    except Exception as error:  # noqa: BLE001  # the outermost edge: a defect, told in one line, kept in the log
        return _defect(error)


def _complain(message: str, code: int) -> int:
    from console.formatting import clean

    print(f"jumpwatch: {clean(message)}", file=sys.stderr)
    return code


def _defect(error: Exception) -> int:
    from core.logging import get_logger, log_defect

    log_defect(get_logger("console.cli"), error)
    return _complain(
        f"unexpected {type(error).__name__} (a defect of jumpwatch; JUMPWATCH_LOGGING_LEVEL=debug shows where)", FAILURE
    )
