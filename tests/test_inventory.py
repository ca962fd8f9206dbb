"""hosts.toml: reading, lines in errors, comments kept, atomic writes; and the import from ssh_config."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.exceptions import (
    ConfigurationError,
    DeviceNotFoundError,
    ResourceConflictError,
    ValidationError,
)
from core.inventory import Inventory, read_ssh_config, validate_host
from core.models import Host

FULL = Host(
    name="web1.example",
    address="2001:db8::5",
    port=2222,
    user="watch",
    groups=("web", "eu"),
    tags=("rack:7",),
    interval_s=2.5,
    identity_files=("~/.ssh/id one",),
    known_hosts="~/.ssh/known_web",
    maintenance=True,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "hosts.toml"


def test_a_missing_file_is_an_empty_inventory(path: Path) -> None:
    assert Inventory.load(path).hosts == () and not path.exists()


def test_what_is_added_comes_back(path: Path) -> None:
    with Inventory.edit(path) as inventory:
        inventory.add(FULL)
        inventory.add(Host("b"))
    assert Inventory.load(path).hosts == (FULL, Host("b"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in path.parent.iterdir()) == [".hosts.toml.lock", "hosts.toml"]


def test_comments_and_order_are_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('# mine\n[[hosts]]  # first\nname = "a"\nport = 22 # odd\n\n# about b\n[[hosts]]\nname = "b"\n')
    with Inventory.edit(path) as inventory:
        inventory.add(Host("c", groups=("x",)))
        inventory.remove("b")
    text = path.read_text()
    assert "# mine" in text and "# first" in text and "port = 22 # odd" in text and '"b"' not in text
    assert [h.name for h in Inventory.load(path).hosts] == ["a", "c"]


def test_nothing_to_save_writes_nothing(path: Path) -> None:
    with Inventory.edit(path):
        pass
    assert not path.exists()
    inventory = Inventory.load(path)
    inventory.add(Host("a"))
    inventory.remove("a")
    assert inventory.save() is False


def test_names_and_groups(path: Path) -> None:
    inventory = Inventory(path, hosts=(FULL, Host("web2")))
    assert inventory.get("web2").target == "web2" and inventory.group("eu") == (FULL,)
    with pytest.raises(DeviceNotFoundError, match="did you mean web2"):
        inventory.get("wbe2")
    with pytest.raises(ResourceConflictError):
        inventory.add(Host("web2"))
    with pytest.raises(DeviceNotFoundError):
        inventory.remove("x")


@pytest.mark.parametrize(
    "host",
    [Host(""), Host("-oProxyCommand=x"), Host("a b"), Host("a\n"), Host("a/b"), Host("x" * 300), Host("ä"),
     Host("a", address="-x"), Host("a", user="-l"), Host("a", user="a b"), Host("a", port=0), Host("a", port=70000),
     Host("a", interval_s=0.5), Host("a", interval_s=float("nan")), Host("a", groups=("",)), Host("a", tags=("x y",))],
)  # fmt: skip
def test_unfit_hosts_are_refused(host: Host) -> None:
    with pytest.raises(ValidationError):
        validate_host(host)


@pytest.mark.parametrize("name", ["a", "web-1.example", "fe80::1", "x_y", "10.0.0.1"])
def test_fit_names(name: str) -> None:
    validate_host(Host(name))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[hosts]]\nname = "a"\n\n[[hosts]]\nname = "b"\nport = "x"\n', ("line 6", "port must be a whole number")),
        ('[[hosts]]\nnme = "a"\n', ("line 2", "did you mean name")),
        ('[[hosts]]\nport = 3\n', ("line 1", "needs a name")),
        ('[[hosts]]\nname = "a"\n[[hosts]]\n\nname = "a"\n', ("line 5", "twice")),
        ('[[hosts]]\nname = "a"\nmaintenance = 1\n', ("line 3", "true or false")),
        ('[[hosts]]\nname = "a"\nport = true\n', ("line 3", "whole number")),
        ('[[hosts]]\nname = "a"\ngroups = ["x", 3]\n', ("line 3", "list of texts")),
        ('hosts = [{name = "a"}, {name = "-b"}]\n', ("host 2", "name '-b'")),
        ('x = 1\n', ("'x' is not known",)),
        ('[web1]\nport = 3\n', ("'web1' is not known", "[[hosts]]")),
        ('[hosts.web1]\nport = 3\n', ("must be [[hosts]]",)),
        ('[[hosts]\n', ("line 1",)),
    ],
)  # fmt: skip
def test_errors_name_the_line(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Inventory.load(file)
    assert str(file) in caught.value.message
    for word in words:
        assert word in caught.value.message


def test_not_text_and_a_folder_are_told(tmp_path: Path) -> None:
    file = tmp_path / "hosts.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        Inventory.load(file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Inventory.load(tmp_path)


def test_a_change_by_an_editor_in_between_is_not_lost(path: Path) -> None:
    with Inventory.edit(path) as inventory:
        inventory.add(Host("a"))
    inventory = Inventory.load(path)
    inventory.add(Host("b"))
    path.write_text(path.read_text() + '[[hosts]]\nname = "c"\n')
    with pytest.raises(ResourceConflictError, match="changed by somebody else"):
        inventory.save()
    assert [h.name for h in Inventory.load(path).hosts] == ["a", "c"]


def test_many_commands_at_once_lose_nothing(path: Path) -> None:
    def add(number: int) -> None:
        with Inventory.edit(path) as inventory:
            inventory.add(Host(f"h{number}"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {h.name for h in Inventory.load(path).hosts} == {f"h{n}" for n in range(8)}


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text('[[hosts]]\nname = "a"\n')
    link = tmp_path / "hosts.toml"
    link.symlink_to(real)
    with Inventory.edit(link) as inventory:
        inventory.add(Host("b"))
    assert link.is_symlink() and '"b"' in real.read_text()


def test_an_error_in_the_block_writes_nothing(path: Path) -> None:
    with pytest.raises(ResourceConflictError), Inventory.edit(path) as inventory:
        inventory.add(Host("a"))
        inventory.add(Host("a"))
    assert not path.exists()


@given(st.text(max_size=40))
def test_any_name_is_taken_or_refused_never_written_wrong(name: str) -> None:
    try:
        validate_host(Host(name))
    except ValidationError:
        return
    assert name and not name.startswith("-") and name.isascii() and name.split() == [name]


SSH_CONFIG = """
# defaults
Host *
    ServerAliveInterval 15
Host web1 web2 !web3 "quoted"
    HostName 10.0.0.1
Host=equals
Host db-? *.internal
Host github.com
    User git
Host -bad
Match host foo exec "true"
    Include inside.conf
Match all
Include conf.d/*.conf ~/none/*
Include loop.conf
"""


def test_import(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.conf").write_text("host upper\nHOST web1\n")
    (tmp_path / "conf.d" / "b.conf").write_text("Host known\n  HostName x\n  Include ../never.conf\n")
    (tmp_path / "loop.conf").write_text("Include loop.conf\nHost last\n")
    (tmp_path / "inside.conf").write_text("Host hidden\n")
    file = tmp_path / "config"
    file.write_text(SSH_CONFIG)
    report = read_ssh_config(file, known=frozenset({"known"}), groups=("imported",))
    assert [h.name for h in report.hosts] == ["web1", "web2", "quoted", "equals", "upper", "last"]
    assert report.hosts[0] == Host("web1", groups=("imported",))  # what ssh_config says stays there
    skipped = {one.name: one.why for one in report.skipped}
    assert "pattern" in skipped["db-?"] and "pattern" in skipped["*.internal"] and "excludes" in skipped["!web3"]
    assert "git" in skipped["github.com"] and "already" in skipped["known"] and "-bad" in skipped
    assert "Match" in skipped["Match host foo exec true"] and "block" in skipped["Include inside.conf"]
    assert "read already" in skipped[f"Include {tmp_path / 'loop.conf'}"]
    assert next(one.where for one in report.skipped if one.name == "-bad") == f"{file}:11"


def test_import_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_ssh_config(tmp_path / "none")
    if os.geteuid() != 0:
        (tmp_path / "shut").write_text("Host a")
        (tmp_path / "shut").chmod(0)
        with pytest.raises(ConfigurationError):
            read_ssh_config(tmp_path / "shut")
