"""The lists over the fleet in the demo: real answers over SSH, the story's troubles on top."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from core.models import FleetView, ProxiesFigures, SectionStatus
from tests.integration.conftest import console

KINDS = ("containers", "services", "drives", "proxies")


def answered(view: FleetView) -> bool:
    docker = next((each for each in view.hosts if each.host.name == "docker-01"), None)
    if docker is None or any(kind not in docker.findings for kind in KINDS):
        return False
    return sum("containers" in each.findings for each in view.hosts) >= 10


async def test_lists_over_the_demos_fleet(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))  # no Node: the embedded database is the quicker one
    monkeypatch.chdir(tmp_path)
    async with console(demo=True, size=(140, 40)) as walk:
        await walk.until(answered, 120)
        docker = next(each for each in walk.view.hosts if each.host.name == "docker-01")
        proxies = docker.findings["proxies"].finding
        assert proxies.status is SectionStatus.OK and isinstance(proxies.value, ProxiesFigures), proxies
        await walk.pilot.press("6")
        await walk.shown("5 containers on 1 of 12 hosts")
        await walk.shown("without docker or podman")
        await walk.pilot.press("8", "tab", "tab")
        await walk.shown("smartctl")
        await walk.pilot.press("9")
        await walk.shown("http://grafana:3000")
        await walk.shown("traefik.subfolder")
        await walk.pilot.press("tab")
        await walk.shown("▲ soon")
        await walk.pilot.press("e", "enter")
        name = "jumpwatch-certificates-*.csv"
        await walk.until(lambda _view: any(each.stat().st_size for each in tmp_path.glob(name)))
        (file,) = tmp_path.glob(name)
        assert {row["certificate"] for row in csv.DictReader(file.open(newline=""))} == {"example.org", "example.net"}
        await walk.pilot.press("enter")
        await walk.shown("FILESYSTEMS")
