"""commands.toml: what it may hold, for whom a command is offered, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.exceptions import ConfigurationError
from core.inventory.commands import for_hosts, load_commands
from core.models import Host, SavedCommand

GOOD = """
[[commands]]
name = "disk"
argv = ["df", "-h"]

[[commands]]
name = "web"
argv = ["systemctl", "status", "nginx"]
timeout_s = 5
groups = ["web"]
hosts = ["db-1"]
sudo = true
"""


def test_commands_are_read_and_offered_where_they_fit(tmp_path: Path) -> None:
    path = tmp_path / "commands.toml"
    assert load_commands(path) == ()
    path.write_text(GOOD)
    disk, web = load_commands(path)
    assert disk == SavedCommand("disk", ("df", "-h")) and web.timeout_s == 5 and web.sudo
    one, two, other = Host("web-1", groups=("web",)), Host("db-1"), Host("nas-1", tags=("web",))
    assert for_hosts((disk, web), [one, two]) == (disk, web)
    assert for_hosts((disk, web), [one, other]) == (disk,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[commands]]\nname = 'x'", "command 1: it needs argv"),
        ("[[commands]]\nname = 'x'\nargv = []", "argv needs a word"),
        ("[[commands]]\nname = 'x'\nargv = 'df'", "argv must be a list of texts"),
        ("[[commands]]\nname = 7\nargv = ['a']", "name must be a text"),
        ("[[commands]]\nname = 'a'\nargv = ['a']\nsudo = 'yes'", "sudo must be true or false"),
        ("[[commands]]\nname = 'a'\nargv = ['a']\ntimeout_s = 0", "timeout_s must be a number"),
        ("[[commands]]\nname = 'a'\nargv = ['a']\nshell = true", "'shell' is not known"),
        ("[[commands]]\nname = 'a'\nargv = ['a']\n" * 2, "two commands called a"),
        ("[[checks]]\nname = 'a'", "[[commands]] tables and nothing else"),
        ("commands = 3", "[[commands]] tables and nothing else"),
        ("[[commands", "commands.toml"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "commands.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_commands(path)
    assert said in caught.value.message


def test_bytes_that_are_no_text_and_a_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "commands.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_commands(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_commands(tmp_path)
