"""Imports from ssh_config, Ansible (INI, YAML, --list), CSV, known_hosts: what is taken, what is said of the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.exceptions import ConfigurationError, InfrastructureException
from core.inventory import ansible, host_from
from core.inventory import reading as core_reading
from core.inventory.ansible_names import expand
from core.inventory.formats import FORMATS, format_of, read_hosts, read_hosts_bytes, read_hosts_text
from core.inventory.merge import plan_import
from core.inventory.reading import Reading
from core.models import Host
from tests.parts import examples

SECRET = "hunter2"


def reading(text: str, form: str | None = None) -> Reading:
    return read_hosts_text(text, Path("/x/file"), form)


@pytest.fixture
def low_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test reaches in no time."""
    monkeypatch.setattr(ansible, "_MOST_MEMBERSHIPS", 1000)
    monkeypatch.setattr(core_reading, "MAX_HOSTS", 100)


def hosts(found: Reading) -> dict[str, Host]:
    return {one.host.name: one.host for one in found.found.values()}


def why(found: Reading) -> dict[str, str]:
    return {one.name: one.why for one in found.skipped}


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
Include conf.d/*.conf ~/none/* ~nobodyofthatname/x
Include loop.conf
"""


def test_ssh_config(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.conf").write_text("host upper\nHOST web1\n")
    (tmp_path / "conf.d" / "b.conf").write_text("Host known\n  HostName x\n  Include ../never.conf\n")
    (tmp_path / "conf.d" / "c.conf").write_bytes(b"Host \xff\n")
    (tmp_path / "loop.conf").write_text("Include loop.conf\nHost last\n")
    (tmp_path / "inside.conf").write_text("Host hidden\n")
    file = tmp_path / "config"
    file.write_text(SSH_CONFIG)
    found = read_hosts(file)
    assert found.format == "ssh_config"
    assert list(found.found) == ["web1", "web2", "quoted", "equals", "upper", "known", "last"]
    assert hosts(found)["web1"] == Host("web1")  # what ssh_config says stays there
    skipped = why(found)
    assert "pattern" in skipped["db-?"] and "pattern" in skipped["*.internal"] and "excludes" in skipped["!web3"]
    assert "forge" in skipped["github.com"] and "-bad" in skipped
    assert "Match" in skipped["Match host foo exec true"] and "block" in skipped["Include inside.conf"]
    assert "read already" in skipped[f"Include {tmp_path / 'loop.conf'}"]
    assert "UTF-8" in skipped[f"Include {tmp_path / 'conf.d' / 'c.conf'}"]
    assert next(one.where for one in found.skipped if one.name == "-bad") == f"{file}:11"


INI = """\
# comment ; and another
mail.example.com
jumper ansible_port=5555 ansible_host=192.0.2.50 # the way in

[web]
www[01:05:2].example.com http_port=80 max=3
[2001:db8::1]:2222

[db] ; data
db-[a:c].example.com ansible_user=postgres ansible_password='hunter2 x'
bad ansible_password=hunter2 hunter2
local ansible_connection=local
tpl ansible_host="{{ hunter2 }}"
open 'quote
"key one" ansible_port=22
porty ansible_port=hunter

[eu:children]
web
db
nope

[world:children]
eu

[eu:vars]
ansible_user = "europe"
ansible_port = 24

[db:vars]
ansible_ssh_private_key_file=~/.ssh/db one # the key
ansible_become_pass=hunter2
ansible_ssh_common_args='-J hunter2'

[all:vars]
ansible_user=ops
jumpwatch_tags='a b'

[odd:thing]
hidden
[web
astray
[ghost:vars]
x=1
"""


def test_ansible_ini() -> None:
    found = reading(INI)
    assert found.format == "ansible-ini"
    took = hosts(found)
    tags = ("a", "b")
    assert took["mail.example.com"] == Host("mail.example.com", user="ops", tags=tags)
    assert took["jumper"] == Host("jumper", "192.0.2.50", 5555, "ops", tags=tags)
    web = ("web", "eu", "world")
    assert [name for name in took if name.startswith("www")] == [f"www0{n}.example.com" for n in (1, 3, 5)]
    assert took["www03.example.com"] == Host("www03.example.com", port=24, user="europe", groups=web, tags=tags)
    assert took["2001:db8::1"] == Host("2001:db8::1", port=2222, user="europe", groups=web, tags=tags)
    assert took["db-b.example.com"] == Host(
        "db-b.example.com", port=24, user="postgres", groups=("db", "eu", "world"), tags=tags,
        identity_files=("~/.ssh/db one",),
    )  # fmt: skip
    assert took["astray"].groups == () and "hidden" not in took and "bad" not in took
    said = why(found)
    assert "secret" in said["db-[a:c].example.com: ansible_password"] and "quote" in said["bad"]
    assert "by local, not by SSH" in said["local"] and "template" in said["tpl"] and "closing" in said["open"]
    assert "key one" in said and "ansible_port" not in said["porty"] and "whole number" in said["porty"]
    assert (
        "secret" in said["[db:vars]: ansible_become_pass"]
        and "ssh_config" in said["[db:vars]: ansible_ssh_common_args"]
    )
    assert "no group of that name" in said["nope"] and "left out" in said["[odd:thing]"]
    assert "no section header" in said["[web"] and "reach nobody" in said["[ghost:vars]"]
    assert SECRET not in repr(found)
    assert next(one.where for one in found.skipped if one.name == "porty") == "/x/file:16"


YAML = """\
all:
  hosts:
    mail.example.com:
  vars:
    ansible_user: ops
  children:
    web:
      hosts:
        www[01:03].example.com:
          ansible_port: 2222
          key: !vault |
            $ANSIBLE_VAULT;1.1;AES256
            hunter2
        "quoted host":
      vars: &shared
        ansible_password: hunter2
        http: [1, 2]
    db:
      hosts: {db1: {ansible_host: 10.0.0.9, ansible_port: 5}, off: {jumpwatch_maintenance_until: 2030-01-31T18:00:00Z}}
      vars:
        <<: *shared
        ansible_port: 23
        ansible_connection: paramiko_ssh
      foo: bar
    win:
      hosts: {pc1: {}}
      vars: {ansible_connection: winrm}
    eu:
      children: {web: , db: }
"""


def test_ansible_yaml() -> None:
    found = reading(YAML)
    assert found.format == "ansible-yaml"
    took = hosts(found)
    assert took["mail.example.com"] == Host("mail.example.com", user="ops")
    assert took["www02.example.com"] == Host("www02.example.com", port=2222, user="ops", groups=("web", "eu"))
    assert took["db1"] == Host("db1", "10.0.0.9", 5, "ops", ("db", "eu"))
    assert took["off"].maintenance and took["off"].maintenance_until == datetime(2030, 1, 31, 18, tzinfo=UTC)
    said = why(found)
    assert "secret" in said["web: ansible_password"] and "quoted host" in said and "winrm" in said["pc1"]
    assert "neither hosts" in said["db: foo"] and SECRET not in repr(found)
    assert next(one.where for one in found.skipped if one.name == "db: foo") == "/x/file:24"


def test_what_ansible_inventory_lists() -> None:
    listing = {
        "_meta": {"hostvars": {"a": {"ansible_host": "10.0.0.1", "ansible_ssh_pass": SECRET, "jumpwatch_tags": ["x"]}}},
        "all": {"children": ["ungrouped", "web"]}, "ungrouped": {"hosts": ["b"]}, "web": {"hosts": ["a"]}, "old": ["c"],
    }  # fmt: skip
    found = reading(json.dumps(listing, indent=1))
    assert hosts(found) == {
        "a": Host("a", "10.0.0.1", groups=("web",), tags=("x",)),
        "b": Host("b"),
        "c": Host("c", groups=("old",)),
    }
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a:children]\nb\n[b:children]\nc\n[c:children]\nb\n", ("file:6", "holds itself", "b in c in b")),
        ("[a:children]\na\n", ("file:2", "a in a")),
        ("a:\n  children:\n    b:\n      children: {a: }\n", ("file:4", "holds itself")),
        ("a: &a\n  children:\n    b: *a\n", ("file:3", "holds itself")),
        ("- hosts: all\n  tasks: []\n", ("file:1", "playbook")),
        ("plugin: aws_ec2\n", ("inventory plugin", "ansible-inventory")),
        ("a:\n\t- b\n", ("file:2", "no YAML")),
        ("a: {hosts: {b: }}\n---\nc: \n", ("file:2", "second document")),
        ("a: " + "[" * 3000, ("no YAML", "nesting")),
        ("a: " + "[" * 300, ("nested over 100",)),
        ("h[1:50]\n" * 30, ("file:21", "over 1,000 times")),
        ("h[1:100]\nx\n", ("file:2", "over 100 hosts")),
        ("".join(f"[g{n}:children]\ng{n + 1}\n" for n in range(60)) + "[g60]\n", ("over 1,000 times",)),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_ansible_inventories_that_cannot_be(text: str, words: tuple[str, ...], low_bounds: None) -> None:
    form = "ansible-yaml" if not text.startswith(("[", "h[")) else "ansible-ini"
    with pytest.raises(ConfigurationError) as caught:
        reading(text, form)
    for word in words:
        assert word in caught.value.message


def test_aliases_that_multiply_are_bounded(low_bounds: None) -> None:
    names = "".join(f"      x{n}: *g\n" for n in range(50))
    with pytest.raises(ConfigurationError, match="over 1,000 times"):
        reading("all:\n  children:\n    g: &g\n     children:\n" + names, "ansible-yaml")


@pytest.mark.parametrize(
    ("pattern", "names", "port"),
    [
        ("web", ["web"], None),
        ("web:2222", ["web"], 2222),
        ("web[1:3]", ["web1", "web2", "web3"], None),
        ("web[08:12:2].x:22", ["web08.x", "web10.x", "web12.x"], 22),
        ("web[:2]", ["web0", "web1", "web2"], None),
        ("r[1:2]n[a:b]", ["r1na", "r1nb", "r2na", "r2nb"], None),
        ("[a:c]", ["a", "b", "c"], None),
        ("[2001:db8::1]:22", ["2001:db8::1"], 22),
        ("[2001:db8::1]", ["2001:db8::1"], None),
        ("2001:db8::1", ["2001:db8::1"], None),
    ],
)
def test_host_patterns(pattern: str, names: list[str], port: int | None) -> None:
    assert expand(pattern) == (names, port)


CSV = (
    "\ufeffName;IP Address;SSH Port;Groups;Password;Color\n"
    'web1;10.0.0.1;22;"web;eu";hunter2;red\n'
    "web 2;10.0.0.2;;;;\n"
    "\n"
    "web3;10.0.0.3;99999;;;\n"
    "web4;10.0.0.4;;a b;;;x\n"
    "web5\n"
    ";10.0.0.6;;;;\n"
    "web5;;;;;\n"
    "web6;web6;;;;\n"
)


def test_csv() -> None:
    found = read_hosts_bytes(CSV.encode(), "f.csv")
    assert found.format == "csv"
    assert hosts(found) == {
        "web1": Host("web1", "10.0.0.1", 22, groups=("web", "eu")),
        "web5": Host("web5"),
        "web6": Host("web6"),
    }
    assert [(one.where, one.name) for one in found.skipped] == [
        ("f.csv:1", "column Password"), ("f.csv:1", "column Color"), ("f.csv:3", "web 2"), ("f.csv:5", "web3"),
        ("f.csv:6", "web4"), ("f.csv:8", ""), ("f.csv:9", "web5"),
    ]  # fmt: skip
    assert SECRET not in repr(found)


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_delimiter_of_a_csv_is_told(sign: str) -> None:
    text = sign.join(("fqdn", "hostname", "user")) + "\n" + sign.join(("a.example", "a", "me")) + "\n"
    assert hosts(reading(text)) == {"a": Host("a", "a.example", user="me")}
    assert hosts(read_hosts_bytes(text.encode("utf-16"), "x"))["a"].user == "me"  # as spreadsheets write it
    assert format_of("host\na\n", "x") == "csv"


@pytest.mark.parametrize(
    ("raw", "words"),
    [(b"a,b\nc,d\n", "line 1 must name the columns"), (b"\x00\x01\x02", "NUL"), (b"name\n\xff\xfe\xfd", "line 2"),
     (bytes(range(256)) * 10, "NUL|UTF-8"), (b"", "line 1")],
)  # fmt: skip
def test_a_csv_that_is_none(raw: bytes, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read_hosts_bytes(raw, "f.csv", "csv")


def test_a_cell_without_an_end() -> None:
    found = reading('name,user\na,me\nb,"' + "x" * 200_000, "csv")
    assert list(found.found) == ["a"] and "cannot be read as CSV" in why(found)["the rest"]


KNOWN_HOSTS = """\
|1|abc=|def= ssh-ed25519 AAAAC3Nza
|1|abc=|dff= ssh-ed25519 AAAAC3Nzb
10.0.0.9,web1,10.0.0.1 ssh-ed25519 AAAAC3Nz1
web1 ecdsa-sha2-nistp256 AAAAE2
10.0.0.1 ssh-ed25519 AAAAC3Nz1
10.0.0.2 ssh-ed25519 AAAAC3Nz2
[git.example]:2222 ssh-rsa AAAAB4
[web1]:2200 sk-ssh-ed25519@openssh.com AAAAG5
*.x,!y ssh-rsa AAAAB6
github.com ssh-rsa AAAAB7
@revoked * ssh-rsa AAAAB8
@cert-authority *.x ssh-rsa AAAAB8
what is this
"""


def test_known_hosts() -> None:
    found = reading(KNOWN_HOSTS)
    assert found.format == "known_hosts"
    assert hosts(found) == {
        "web1": Host("web1"),
        "10.0.0.2": Host("10.0.0.2"),
        "git.example": Host("git.example", port=2222),
        "web1-2200": Host("web1-2200", "web1", 2200),
    }
    said = why(found)
    assert "cannot be read back" in said["2 hashed lines"] and "key of web1" in said["10.0.0.1"]
    assert "revoked" in said["@revoked"] and "authority" in said["@cert-authority"]
    assert "pattern" in said["*.x"] and "pattern" in said["!y"] and "forge" in said["github.com"]
    assert "NAMES TYPE KEY" in said["what"]


@pytest.mark.parametrize(
    ("text", "form"),
    [('# x\n[[hosts]]\nname = "a"\n', "toml"), (SSH_CONFIG, "ssh_config"), (INI, "ansible-ini"),
     (YAML, "ansible-yaml"), (CSV, "csv"), (KNOWN_HOSTS, "known_hosts"), ("a\nb # x\nc[1:2].x\n", "ansible-ini"),
     ("web1 ansible_host=10.0.0.1\n", "ansible-ini"), ("---\nall:\n", "ansible-yaml"),
     ('{"all": {}}', "ansible-yaml"), ("web:\n  hosts:\n", "ansible-yaml"), ("include ~/x\n", "ssh_config"),
     ("User me\nHost a\n", "ssh_config"), ("", "toml")],
)  # fmt: skip
def test_the_format_is_told_from_the_content(text: str, form: str) -> None:
    assert format_of(text.removeprefix("\ufeff"), "x") == form


def test_formats_that_cannot_be_told() -> None:
    with pytest.raises(ConfigurationError, match="--format toml"):
        reading("what is\nthis?\n")
    with pytest.raises(ConfigurationError, match="is a program: run it"):
        reading("#!/bin/sh\necho {}\n")
    with pytest.raises(ConfigurationError, match="no format 'ini'"):
        reading("", "ini")


@pytest.mark.parametrize("raw", [b"x" * (17 << 20), b"a\xff\nb"], ids=["17 MB", "latin-1"])
def test_files_that_cannot_be_read(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "file").write_bytes(raw)
    for path in (tmp_path / "none", tmp_path, tmp_path / "file"):
        with pytest.raises(ConfigurationError):
            read_hosts(path)


def test_what_the_user_set_is_kept_and_the_rest_filled() -> None:
    mine = {"a": Host("a", port=2222, groups=("mine",), maintenance=True), "b": Host("b")}
    found = reading("name,address,port,groups\na,10.0.0.1,22,web\nb,,,\nc,,,\n")
    plan = plan_import(mine, found, groups=("all2",), tags=("t",))
    assert [one.host for one in plan.added] == [Host("c", groups=("all2",), tags=("t",))]
    by_name = {one.host.name: one for one in plan.changed}
    assert by_name["a"].host == Host(
        "a", "10.0.0.1", 2222, groups=("mine", "web", "all2"), tags=("t",), maintenance=True
    )
    assert by_name["a"].gains == ("address 10.0.0.1", "group web", "group all2", "tag t")
    assert [(one.name, one.differs) for one in plan.kept] == [("a", ("port 2222 (the file says 22)",))]
    after = {one.host.name: one.host for one in (*plan.added, *plan.changed)}
    again = plan_import(after, found, groups=("all2",), tags=("t",))
    assert not again.added and not again.changed


WORDS = st.sampled_from(
    ["[", "]", ":", "=", "\n", " ", "all", "hosts", "children", "vars", "- ", "  ", "{", "}", "*a", "&a ", "<<", "web",
     "ansible_host", "ansible_port", "10.0.0.1", "name", ",", ";", "\t", '"', "'", "#", "|1|", "@revoked", "ssh-rsa",
     "AAAAB3", "Host ", "Include ", "[1:3]", "[a:children]", "[a:vars]", "[[hosts]]", "\\", "!vault ", "ä", "\x85",
     "\0", "9" * 30, "%", "~", "$x", "---", "..."]
)  # fmt: skip


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.lists(WORDS, max_size=40).map("".join), st.text(max_size=120)), st.sampled_from([None, *FORMATS]))
def test_any_text_gives_fit_hosts_or_one_of_our_errors(text: str, form: str | None) -> None:
    try:
        found = read_hosts_text(text, Path("/nowhere/at/all"), form)
    except InfrastructureException as error:
        assert error.message
        return
    for name, one in found.found.items():
        assert one.host.name == name
        host_from({"name": name, "groups": list(one.host.groups), "port": one.host.port or 22})


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=200), st.sampled_from([None, *FORMATS]))
def test_any_bytes_give_hosts_or_one_of_our_errors(raw: bytes, form: str | None) -> None:
    try:
        read_hosts_bytes(raw, "pipe", form)
    except InfrastructureException as error:
        assert error.message


def test_variables_beside_an_ansible_inventory(tmp_path: Path) -> None:
    files = {
        "hosts": "[web]\na.x ansible_user=own ansible_port=1\nb\n[db]\nc\n",
        "group_vars/all.yml": "ansible_user: everyone\nhttp: {port: 80}\nansible_become_pass: hunter2\n",
        "group_vars/web/main.yml": "ansible_user: web\nansible_port: 2200\n",
        "group_vars/web/vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n6132\n",
        "group_vars/web/notes.txt": "hunter2: [",
        "group_vars/db": "- hunter2\n",
        "group_vars/other.yml": "hunter2: [",
        "host_vars/a.x.yml": "---\nansible_host: 10.0.0.1\nansible_port: 22\n",
        "host_vars/b.yaml": "a: [hunter2\n",
        "host_vars/.hidden.yml": "hunter2: [",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = read_hosts(tmp_path / "hosts")
    assert hosts(found) == {
        "a.x": Host("a.x", "10.0.0.1", 22, "own", ("web",)),
        "b": Host("b", port=2200, user="web", groups=("web",)),
        "c": Host("c", user="everyone", groups=("db",)),
    }
    said = {one.where.removeprefix(f"{tmp_path}/"): one for one in found.skipped}
    assert "encrypted" in said["group_vars/web/vault.yml"].why and "no mapping" in said["group_vars/db"].why
    assert "no YAML" in said["host_vars/b.yaml"].why and len(found.skipped) == 5  # all.yml: a secret, and other things
    assert SECRET not in repr(found)
