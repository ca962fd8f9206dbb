"""jumpwatch hosts probe: the loop for a host where the login's key may run nothing else."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

from console.commands.output import print_json, say
from core.collectors.loop import forced_command_script
from core.exceptions import ConfigurationError, ValidationError

_PATH = re.compile(r"/[A-Za-z0-9_./+-]*[A-Za-z0-9_+-]")
_KEY = re.compile(r"(ssh-|ecdsa-sha2-|sk-)[a-z0-9@.-]+ AAAA[A-Za-z0-9+/=]+( .*)?")
_PLACEHOLDER = "PUBLIC-KEY"


def probe(args: argparse.Namespace) -> int:
    """Print the script to install; what to do with it goes to stderr."""
    if not _PATH.fullmatch(args.path) or ".." in args.path.split("/"):
        raise ValidationError(f"--path {args.path[:100]!r} must be an absolute path of letters, digits and _ . / + -")
    script, line = forced_command_script(), authorized_line(args.path, _public_key(args.key) if args.key else "")
    if args.json:
        print_json({"path": args.path, "script": script, "authorized_keys": line})
    elif args.line:
        print(line)
    else:
        print(script, end="")
        path = shlex.quote(args.path)
        say(f"Install it on the host, as root: jumpwatch hosts probe | ssh root@HOST 'cat >{path} && chmod 755 {path}'")
        say("Then put this line into ~/.ssh/authorized_keys of the login there:")
        say(line)
        say("The key can then run this loop and nothing else; what needs other commands (containers, logs) stays away.")
    if _PLACEHOLDER in line:
        say(f"{_PLACEHOLDER} stands for the login's public key: --key ~/.ssh/id_ed25519.pub puts it in")
    return 0


def authorized_line(path: str, key: str = "") -> str:
    """The line for authorized_keys (sshd(8)): no terminal, no forwarding, this command alone."""
    return f'restrict,command="{path}" {key or _PLACEHOLDER}'


def _public_key(name: str) -> str:
    path = Path(name).expanduser()
    path = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    try:
        text = path.read_text("utf-8", "replace").strip()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; ssh-keygen -y makes a public key") from None
    if not _KEY.fullmatch(text):
        raise ConfigurationError(f"{path} holds no public key of OpenSSH's form")
    return text
