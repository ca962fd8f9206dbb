"""hosts.toml: reading, lines in errors, comments kept, atomic writes, changes of single settings."""

from __future__ import annotations

import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.exceptions import (
    ConfigurationError,
    DeviceNotFoundError,
    ResourceConflictError,
    ResourceNotFoundError,
    ValidationError,
)
from core.inventory import Inventory, validate_host
from core.inventory.keeper import set_maintenance, with_maintenance
from core.inventory.merge import changed_field
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
    maintenance_until=datetime(2030, 1, 31, 18, tzinfo=UTC),
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
     Host("a", interval_s=0.5), Host("a", interval_s=float("nan")), Host("a", groups=("",)), Host("a", tags=("x y",)),
     Host("a", identity_files=("a\nHost *",)), Host("a", known_hosts=" x"), Host("a", identity_files=("",)),
     Host("a", maintenance_until=datetime(2030, 1, 1)), Host("a", maintenance_until=datetime(1, 1, 1, tzinfo=UTC))],
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
        ('[[hosts]]\nname = "a"\nmaintenance_until = 2030-01-01T10:00:00\n', ("line 3", "with its zone")),
        ('[[hosts]]\nname = "a"\nmaintenance_until = "tomorrow"\n', ("line 3", "with its zone")),
        ('[[hosts]]\nname = "a"\nport = ' + "9" * 5000 + "\n", ("digits",)),
        ("a = " + "[" * 100_000, ("recursion",)),
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


@pytest.mark.parametrize(
    ("raw", "words"),
    [(b"\xff\xfe", "line 1 is not UTF-8"), (b"#\n\xe4", "line 2 is not UTF-8"), (b"# \0", "NUL"),
     (b"#" * (10 << 20), "over 4 MiB")],
    ids=["utf-16", "latin-1", "binary", "10 MB"],
)  # fmt: skip
def test_what_is_no_text_is_told(tmp_path: Path, raw: bytes, words: str) -> None:
    file = tmp_path / "hosts.toml"
    file.write_bytes(raw)
    with pytest.raises(ConfigurationError, match=words):
        Inventory.load(file)
    assert file.read_bytes() == raw


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "hosts.toml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        Inventory.load(tmp_path / "hosts.toml")
    with (
        pytest.raises(ConfigurationError, match="cannot be read: Is a directory"),
        Inventory.edit(tmp_path / "hosts.toml"),
    ):
        pass


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be made"), Inventory.edit(tmp_path / "file" / "hosts.toml"):
        pass
    (tmp_path / ".hosts.toml.lock").mkdir()
    with (
        pytest.raises(ConfigurationError, match=r"cannot be changed: .*\.hosts\.toml\.lock"),
        Inventory.edit(tmp_path / "hosts.toml"),
    ):
        pass


COMMENTED = """# mine
[[hosts]]  # first
name = "a"  # its name
port = 22 # odd
groups = [
  "web",  # all of them
]

# about b
[[hosts]]
name = "b"
maintenance_until = 2020-01-01T00:00:00Z

[[hosts]]
name = "c"
# the end
"""


def test_a_changed_setting_touches_its_line_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(COMMENTED)
    with Inventory.edit(path) as inventory:
        assert inventory.update(replace(inventory.get("a"), port=2222, user="me"))
        assert not inventory.update(inventory.get("b"))
    wanted = COMMENTED.replace("port = 22 # odd", "port = 2222 # odd")
    wanted = wanted.replace("]\n\n# about", ']\nuser = "me"\n\n# about')
    assert path.read_text() == wanted
    with Inventory.edit(path) as inventory:
        inventory.update(replace(inventory.get("a"), port=None, groups=()))
        inventory.update(with_maintenance(inventory.get("b"), False))
        inventory.update(replace(inventory.get("c"), tags=("x",)))
    text = path.read_text()
    assert "port" not in text and "groups" not in text and "maintenance" not in text
    assert "\n\n# about b\n" in text and text.endswith('name = "c"\ntags = ["x"]\n# the end\n')
    assert Inventory.load(path).hosts == (Host("a", user="me"), Host("b"), Host("c", tags=("x",)))


def test_settings_written_as_text() -> None:
    host = Host("a", groups=("web",))
    for setting, wanted in {
        "port=2222": Host("a", port=2222, groups=("web",)),
        "address=10.0.0.1": Host("a", address="10.0.0.1", groups=("web",)),
        "address=": host,
        "groups=": Host("a"),
        "groups=a,b c": Host("a", groups=("a", "b", "c")),
        "groups+=eu": Host("a", groups=("web", "eu")),
        "groups+=web": host,
        "groups-=web": Host("a"),
        "identity_files=~/.ssh/id one": replace(host, identity_files=("~/.ssh/id one",)),
        'identity_files=["a;b", "c"]': replace(host, identity_files=("a;b", "c")),
        "interval_s=2.5": replace(host, interval_s=2.5),
        "maintenance=on": replace(host, maintenance=True),
        "maintenance=no": host,
        "maintenance_until=2030-01-31T18:00:00Z": replace(
            host, maintenance=True, maintenance_until=datetime(2030, 1, 31, 18, tzinfo=UTC)
        ),
    }.items():
        assert changed_field(host, setting) == wanted, setting
    off = changed_field(with_maintenance(host, True, datetime(2030, 1, 1, tzinfo=UTC)), "maintenance=off")
    assert off == host


@pytest.mark.parametrize(
    ("setting", "words"),
    [("port", "KEY=VALUE"), ("=3", "KEY=VALUE"), ("port=x", "whole number"), ("port=²", "whole number"),
     ("port=70000", "1 to 65535"), ("prot=3", "did you mean port"), ("name=b", "key of its history"),
     ("port+=3", "is for lists"), ("maintenance=maybe", "true or false"), ("maintenance_until=noon", "with its zone"),
     ("maintenance_until=2030-01-31T18:00:00", "with its zone"), ("groups=[1]", "JSON list"),
     ("groups=" + "[" * 10_000, "JSON list"), ("interval_s=nan", "1 to 3600"), ("user=-x", "login name")],
)  # fmt: skip
def test_settings_that_cannot_be(setting: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        changed_field(Host("a"), setting)
    assert words in caught.value.message


def test_maintenance_is_over_at_its_end(path: Path) -> None:
    end = datetime(2030, 1, 31, 18, tzinfo=UTC)
    with Inventory.edit(path) as inventory:
        for name in ("a", "b", "c"):
            inventory.add(Host(name, groups=("web",) if name != "c" else (), tags=("t",)))
    assert [h.name for h in set_maintenance(path, ["group:web", "a"], True, end)] == ["a", "b"]
    inventory = Inventory.load(path)
    before, after = inventory.hosts_at(end - timedelta(seconds=1)), inventory.hosts_at(end)
    assert [h.maintenance for h in before] == [True, True, False] and before[0].maintenance_until == end
    assert [h.maintenance for h in after] == [False] * 3 and after[0] == Host("a", groups=("web",), tags=("t",))
    assert "maintenance_until = 2030-01-31T18:00:00" in path.read_text()
    set_maintenance(path, ["tag:t"], False)
    assert "maintenance" not in path.read_text()
    with pytest.raises(ResourceNotFoundError, match="did you mean web"):
        set_maintenance(path, ["c", "group:wbe"], True)
    assert not Inventory.load(path).get("c").maintenance  # all or nothing


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
