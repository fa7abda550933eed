"""The floors: imports point downward, the package's front stays light, and its map is true."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("values", "store", "code", "build", "commands")


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


def test_every_public_name_is_found_where_the_map_says() -> None:
    assert sorted(pipeline._HOME) == pipeline.__all__
    for name, home in pipeline._HOME.items():
        found = getattr(pipeline, name)
        assert not isinstance(found, type) or found.__module__ == home, (
            f"{name} is at home in {found.__module__}"
        )


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Transform'"):
        pipeline.Transform  # noqa: B018


def test_importing_the_package_loads_nothing_else() -> None:
    loaded = run(
        "import sys; before = set(sys.modules); import pipeline;"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('_')))"
    )

    foreign = {name.split(".")[0] for name in loaded.split()} - sys.stdlib_module_names
    assert foreign == {"pipeline"}
    assert "pipeline." not in loaded


@pytest.mark.parametrize("floor", ["values", "store", "code"])
def test_the_lower_floors_do_not_know_luigi(floor: str) -> None:
    modules = [
        f"pipeline.{floor}.{path.stem}"
        for path in sorted((ROOT / "pipeline" / floor).glob("*.py"))
        if path.stem != "__init__"
    ]

    assert "luigi" not in run(f"import sys, {', '.join(modules)}; print(*sys.modules)").split()


def test_the_import_rules_go_red_when_a_floor_looks_up(tmp_path: Path) -> None:
    """The guard itself: a copy of the package with one upward import."""
    import shutil

    for name in ("pipeline", "tasks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    lowest = tmp_path / "pipeline" / "values" / "check.py"
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    green = subprocess.run(lint, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    lowest.write_text(lowest.read_text() + "\nfrom pipeline.store import storage  # noqa\n")

    red = subprocess.run(lint, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert green.returncode == 0, green.stdout
    assert red.returncode == 1
    assert "pipeline.values.check -> pipeline.store.storage" in red.stdout


def test_no_file_holds_two_ideas() -> None:
    """The design's measure: at most 300 lines a file, and 40 a function."""
    long = []
    for path in [*sorted((ROOT / "pipeline").rglob("*.py")), *sorted((ROOT / "tasks").glob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 320:
            long.append(f"{path.name}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > 40:
                    long.append(f"{path.name}, {node.name}: {lines} lines")

    assert not long
