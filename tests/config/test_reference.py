"""The settings as they are described: the README's table, the JSON Schema, and the commands that show them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from console import cli
from core.config import load_settings
from core.config.application import SECTION_CLASSES
from core.config.reference import BEGIN, END, entries, renewed, schema
from core.config.types import parse_bytes
from core.exceptions import ConfigurationError

README = Path(__file__).resolve().parents[2] / "README.md"
SECRETS = {
    "DATABASE_URL": "postgresql://me:hunter2-a@localhost/x",
    "REDIS_PASSWORD": "hunter2-b",
    "AUTH_SECRET_KEY": "hunter2-c",
    "API_KEYS": "hunter2-d,hunter2-e",
    "EXTERNAL_WEBHOOK_URLS": "https://h/hunter2-f",
    "EXTERNAL_WEBHOOK_SECRET": "hunter2-g",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for commands that run in this process."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_readme_has_the_table_as_it_is_made_now() -> None:
    text = README.read_text("utf-8")
    assert renewed(text) == text, "run: python -m core.config.reference"
    made = text.partition(BEGIN)[2].partition(END)[0]
    for entry in entries():
        assert made.count(f"| `{entry.variable}`") == 1 and entry.info.description


def test_a_document_without_the_markers_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="lacks the lines"):
        renewed(f"# Title\n{BEGIN}\n")


def values(node: dict[str, Any], section: str = "") -> list[tuple[str, str, dict[str, Any]]]:
    found = []
    for name, value in node["properties"].items():
        found += values(value, name) if "properties" in value else [(section, name, value)]
    return found


def test_the_schema_has_every_setting_and_its_bounds_are_those_in_force() -> None:
    found = {(section, name): value for section, name, value in values(schema())}
    assert set(found) == {(entry.section, entry.field) for entry in entries()}
    for (section, name), value in found.items():
        assert value["description"] and value["x-env"].startswith("JUMPWATCH_")
        if not section:
            continue
        cls = SECTION_CLASSES[section]
        number = next((one for one in (value, *value.get("anyOf", ())) if "minimum" in one), None)
        for bound, step in (("minimum", -1), ("maximum", 1)) if number else ():
            with pytest.raises(ConfigurationError, match=value["x-env"]):
                cls(**{name: number[bound] + step})
            try:
                cls(**{name: number[bound]})
            except ConfigurationError as error:  # in range; the order of several ages is another rule
                assert (
                    "must be less than" in error.message
                    or "must be no more than" in error.message
                    or "must not be more than" in error.message
                )
        for word in value.get("enum", ()):
            assert getattr(cls(**{name: word}), name) == word
        default = value["default"]
        made = getattr(cls(), name)
        assert made == (getattr(cls(**{name: default}), name) if default is not None else None)
        assert not isinstance(default, str) or "anyOf" not in value or parse_bytes(default)


def test_neither_schema_nor_show_tells_a_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"JUMPWATCH_{name}", value)
    for words in (["show"], ["show", "--json"], ["schema"], ["validate"], ["validate", "--json"], ["path"]):
        assert cli.main(["config", *words]) == 0
        said = capsys.readouterr()
        assert said.out and "hunter2" not in said.out + said.err
    cli.main(["config", "show", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown["api.keys"] == {"value": ["***", "***"], "source": "environment"}
    assert {entry.field if not entry.section else f"{entry.section}.{entry.field}" for entry in entries()} == set(shown)


def test_validate_prints_one_line_a_problem(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["config", "validate"]) == 0 and capsys.readouterr().out == "ok\n"
    monkeypatch.setenv("JUMPWATCH_POLLING_INTERVAL_S", "0")
    monkeypatch.setenv("JUMPWATCH_SSH_USER", "a\nb\x1b[31m")
    monkeypatch.setenv("JUMPWATCH_REDIS_PASSWORD", "hunter2" * 2000)
    assert cli.main(["config", "validate"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.isprintable() and "hunter2" not in line for line in lines)
    assert cli.main(["config", "validate", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False and len(told["problems"]) == 3
    for name in ("POLLING_INTERVAL_S", "SSH_USER", "REDIS_PASSWORD"):
        monkeypatch.delenv(f"JUMPWATCH_{name}")
    monkeypatch.setenv("JUMPWATCH_DATABASE_URL", "postgresql://h/d?sslmode=verify-full&sslrootcert=/none/ca.pem")
    assert cli.main(["config", "validate"]) == 2  # an authority's file that is not there is found without a connection
    assert "JUMPWATCH_DATABASE_SSL_ROOT_CERT (/none/ca.pem)" in capsys.readouterr().out


def test_a_file_written_from_the_schema_is_taken(home: Path) -> None:
    lines: dict[str, list[str]] = {"": []}
    for section, name, value in values(schema()):
        if value["default"] is not None and not value.get("readOnly") and "$" not in str(value["default"]):
            lines.setdefault(section, []).append(f"{name} = {json.dumps(value['default'])}")
    text = "\n".join(("", f"[{section}]")[bool(section)] + "\n" + "\n".join(rows) for section, rows in lines.items())
    assert len(tomllib.loads(text)) == len(SECTION_CLASSES) + 1
    file = home / "all.toml"
    file.write_text(text)
    plain, read = load_settings(env={"HOME": str(home)}), load_settings(env={"HOME": str(home)}, config_file=file)
    assert read.model_dump() == plain.model_dump()
