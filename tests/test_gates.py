"""The gates of .ci/run close: each tool passes on the tree as it is and fails on a planted violation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
PLANTED = {
    "lint": (["ruff", "check", "core", "console"], "core/planted.py", "import os\n"),
    "format": (["ruff", "format", "--check", "core", "console"], "core/planted.py", "x   =  1\n"),
    "types": (["mypy", "--no-incremental", "-p", "core.planted"], "core/planted.py", "def f(x):\n    return x\n"),
    "layers": (["lint-imports"], "core/collectors/planted.py", "from core import database\n\n__all__ = ['database']\n"),
    "screen": (["lint-imports"], "core/planted.py", "import textual\n\n__all__ = ['textual']\n"),
    "lanes": (["lint-imports"], "console/panes/planted.py", "from core import storage\n\n__all__ = ['storage']\n"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("gates")
    for name in ("core", "console"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.mark.parametrize("gate", PLANTED)
def test_a_planted_violation_closes_the_gate(gate: str, tree: Path) -> None:
    command, place, text = PLANTED[gate]

    def passes() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(TOOLS / command[0]), *command[1:]], cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    planted = tree / place
    planted.write_text('"""Planted."""\n\nX = 1\n')
    try:
        sound = passes()
        assert sound.returncode == 0, sound.stdout + sound.stderr
        planted.write_text(text)
        assert passes().returncode != 0
    finally:
        planted.unlink()
