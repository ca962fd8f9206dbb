"""Exports: each read back gives the same hosts; ssh itself reads the ssh_config as it is meant."""

from __future__ import annotations

import shutil
import string
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.exceptions import ResourceConflictError, ValidationError
from core.inventory import validate_host
from core.inventory.disk import write_text
from core.inventory.export import EXPORTS, export_hosts
from core.inventory.formats import read_hosts_text
from core.inventory.reading import FORGES
from core.models import Host
from tests.parts import examples, need

FULL = Host(
    name="web1.example", address="fe80::1%eth0", port=2222, user="DOM\\me", groups=("web", "eu"),
    tags=("rack:7", "a/b"), interval_s=2.5, identity_files=("~/.ssh/id one", "/k;2"), known_hosts="~/.ssh/known 'web'",
    maintenance=True, maintenance_until=datetime(2030, 1, 31, 18, tzinfo=UTC),
    collectors=("services", "zfs"), sudo=("drives",), services=("nginx.service", "getty@tty1.service"),
)  # fmt: skip
HOSTS = (
    FULL,
    Host("b", identity_files=("[odd]",), groups=("all", "a:b", "web", "x:vars")),
    Host("web:22", address="web"),  # Ansible would read host and port
    Host("2001:db8::1", port=22, identity_files=("~/.ssh/id'one",)),
    Host("c", user="me", known_hosts='"quoted"', maintenance=True, collectors=()),
)


def back(text: str, form: str | None) -> dict[str, Host]:
    found = read_hosts_text(text, Path("/x/file"), form)
    assert not found.skipped
    return {one.host.name: replace(one.host, groups=tuple(sorted(one.host.groups))) for one in found.found.values()}


def wanted(hosts: tuple[Host, ...], form: str) -> dict[str, Host]:
    if form == "ssh_config":  # what it says of a host stays with it
        return {host.name: Host(host.name) for host in hosts}
    return {host.name: replace(host, groups=tuple(sorted(host.groups))) for host in hosts}


@pytest.mark.parametrize("form", EXPORTS)
def test_what_is_written_reads_back(form: str) -> None:
    text = export_hosts(HOSTS, form)
    assert back(text, form) == wanted(HOSTS, form)
    assert back(text, None) == wanted(HOSTS, form)  # and tells what it is
    assert back(export_hosts((), form), form) == {}


WORD = st.text(string.ascii_letters + string.digits + "._:/-", min_size=1, max_size=12)
PATH = st.text(st.characters(codec="utf-8", exclude_characters="{}"), min_size=1, max_size=20).map(str.strip)
FIT_HOSTS = st.builds(
    Host,
    name=st.text(string.ascii_letters + string.digits + "._:-", min_size=1, max_size=20),
    address=st.one_of(st.just(""), st.text(string.ascii_letters + string.digits + "._:%-", max_size=20)),
    port=st.one_of(st.none(), st.integers(1, 65535)),
    user=st.one_of(st.none(), st.text(string.ascii_letters + "._@\\+$-", min_size=1, max_size=10)),
    groups=st.lists(WORD, max_size=3, unique=True).map(tuple),
    tags=st.lists(WORD, max_size=3, unique=True).map(tuple),
    interval_s=st.one_of(st.none(), st.integers(1, 3600), st.floats(1, 3600)),
    identity_files=st.lists(PATH, max_size=2, unique=True).map(tuple),
    known_hosts=st.one_of(st.none(), PATH),
    maintenance=st.just(True),
    maintenance_until=st.one_of(
        st.none(), st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
    ),
)


def fit(host: Host) -> bool:
    try:
        validate_host(host)
    except ValidationError:
        return False
    # What ssh_config says of a code forge is left out by intent, and an address that is the name is none.
    return host.name not in FORGES and host.user != "git" and host.address != host.name


FLEETS = st.lists(FIT_HOSTS.filter(fit), max_size=4, unique_by=lambda host: host.name.replace(":", "-"))


@settings(max_examples=examples(100), deadline=None)
@given(FLEETS, st.sampled_from(list(EXPORTS)))
def test_any_hosts_read_back(hosts: list[Host], form: str) -> None:
    assert back(export_hosts(tuple(hosts), form), form) == wanted(tuple(hosts), form)


def test_ssh_reads_the_ssh_config_as_it_is_meant(tmp_path: Path) -> None:
    ssh = shutil.which("ssh")
    need("ssh", ssh is not None, "no ssh client on this machine")
    file = tmp_path / "config"
    file.write_text(export_hosts((FULL, Host("plain")), "ssh_config"))
    done = subprocess.run([ssh or "ssh", "-G", "-F", str(file), FULL.name], capture_output=True, text=True, check=True)
    said = {tuple(line.split(" ", 1)) for line in done.stdout.splitlines()}
    assert {("hostname", "fe80::1%eth0"), ("port", "2222"), ("identityfile", "~/.ssh/id one")} <= said
    assert ("user", "DOM\\me") in said and ("identityfile", "/k;2") in said


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    write_text(file, "mine", replace=False)
    with pytest.raises(ResourceConflictError, match="is there already"):
        write_text(file, "other", replace=False)
    assert file.read_text() == "mine" and [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    write_text(file, "other")
    assert file.read_text() == "other" and file.stat().st_mode & 0o777 == 0o600
