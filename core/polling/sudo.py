"""What the refusals of ``sudo -n`` mean; pure."""

from __future__ import annotations

from core.models import Finding, SectionStatus
from core.ports import CommandResult

ALL = "all"  # in a host's sudo list: every collector that root tells more
# sudo(8) and its sudoers plugin, as they word it in the C locale; sudo-rs and doas' shim word theirs alike.
_REFUSED = (
    ("a password is required", "sudo asks for a password"),
    ("a terminal is required", "sudo asks for a password"),
    ("interactive authentication is required", "sudo asks for a password"),
    ("you must have a tty", "sudo wants a terminal (requiretty)"),
    ("is not in the sudoers file", "the login is not in the sudoers file"),
    ("may not run sudo", "the login may not use sudo"),
    ("is not allowed to", "sudo does not allow this command"),
    ("i'm afraid i can't do that", "sudo does not allow this command"),
    ("no new privileges", "sudo cannot become root in there (no_new_privs)"),
)


def refusal(kind: str, result: CommandResult) -> Finding | None:
    """Return the finding of a command that sudo did not run; None where it ran. A script's exit code tells nothing."""
    said = result.stderr[:4000].lower()
    if result.exit_code in (126, 127) and "sudo" in said and "not found" in said:
        why = "sudo is not installed there"
    else:
        lines = [line for line in said.splitlines() if line.startswith(("sudo", "sorry, ")) or "sudoers" in line]
        why = next((words for sign, words in _REFUSED for line in lines if sign in line), "")
    if not why:
        return None
    way = f"allow it with NOPASSWD in sudoers, or take {kind} out of the host's sudo list"
    return Finding(kind, SectionStatus.FORBIDDEN, None, f"{why}: {way}", "warning")
