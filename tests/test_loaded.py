"""Code that is edited after it was loaded: nothing is kept under a key that tells of other code."""

from __future__ import annotations

import importlib
import linecache
import os
import py_compile
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pipeline
from pipeline.build.invoke import RunResult, run
from pipeline.store.local import LocalStorage
from pipeline.store.repository import Repository
from tests.world import World

TASKS = """
    from pipeline import Task
    from lab import helper

    class T(Task):
        "What the helper says."

        def build(self):
            return {"value": helper.f()}
"""
HELPER = """
    RATE = 10

    def f():
        return RATE

    def g():
        return 10

    def unused():
        return 1
"""
TASK = "lab.tasks.T"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path / "world", LocalStorage(tmp_path / "store"))) as world:
        world.code("lab.tasks", TASKS)
        world.code("lab.helper", HELPER)
        yield world


def run_anew(lab: World, task: Any) -> RunResult:
    """A run of what this process has loaded."""
    lab.session()
    return run(task)


def require_refused(lab: World, task: Any, told: str, kept: int = 0) -> None:
    stopped = run_anew(lab, task)

    assert told in stopped.summary["error"]
    assert len(list(Repository(lab.storage).records("T"))) == kept


def reload(*modules: str) -> None:
    importlib.invalidate_caches()
    for module in modules:
        importlib.reload(sys.modules[module])


def compiled(path: Path) -> Path:
    """The bytecode of a file, as Python leaves it."""
    bytecode = py_compile.compile(str(path))
    assert bytecode is not None
    return Path(bytecode)


def value(lab: World) -> int:
    """What a new process makes of the code as it stands."""
    lab.built(TASK)
    return int(lab.load(TASK)["value"])


def test_a_constant_edited_before_the_first_run_is_refused(lab: World) -> None:
    task = lab.task(TASK)
    lab.edit("lab.helper", "RATE = 10", "RATE = 20")

    require_refused(lab, task, "lab.helper (RATE) was edited after this process loaded it")
    assert value(lab) == 20


def test_a_function_edited_before_the_first_run_runs_once_it_is_loaded_anew(lab: World) -> None:
    task = lab.task(TASK)
    lab.edit("lab.helper", "return RATE", "return RATE + 1")
    require_refused(lab, task, "lab.helper (f) was edited")

    reload("lab.helper")

    assert run_anew(lab, task).is_complete
    assert lab.load(TASK)["value"] == 11


def test_a_function_that_no_earlier_run_reached_is_refused_too(lab: World) -> None:
    assert run_anew(lab, lab.task(TASK)).is_complete
    lab.edit("lab.helper", "def g():\n    return 10", "def g():\n    return 20")
    lab.edit("lab.tasks", "helper.f()", "helper.g()")
    reload("lab.tasks")

    require_refused(lab, sys.modules["lab.tasks"].T(), "lab.helper (g) was edited", kept=1)
    assert value(lab) == 20


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return RATE", "return RATE  # ten"),
        ("return 1\n", "return 2\n"),
        ("def g", "def new(): pass\ndef g"),
    ],
    ids=["a comment", "what is not reached", "what is new"],
)
def test_an_edit_of_nothing_that_is_reached_is_no_edit(lab: World, old: str, new: str) -> None:
    task = lab.task(TASK)
    lab.edit("lab.helper", old, new)

    assert run_anew(lab, task).is_complete


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("from lab.other import h", "from lab.another import h", "(import h)"),
        ("def max(*_): return 10", "", "(max)"),
        ("print()", "", "(<body>)"),
    ],
    ids=["an import", "a definition", "a statement"],
)
def test_what_leads_elsewhere_or_is_gone_is_an_edit(lab: World, before: str, after: str, told: str) -> None:
    lab.code("lab.other", "def h(): return 10\n")
    lab.code("lab.another", "def h(): return 20\n")
    lab.code("lab.helper", f"def f():\n    return max(h())\n{before}\n")
    task = lab.task(TASK)
    lab.code("lab.helper", f"def f():\n    return max(h())\n{after}\n")

    require_refused(lab, task, f"lab.helper {told} was edited")


FROM_IMPORT = TASKS.replace("lab import helper", "lab.helper import RATE, f").replace(
    "helper.f()", "f() + RATE"
)


def test_what_was_imported_before_its_module_was_loaded_anew_is_refused(lab: World) -> None:
    lab.code("lab.tasks", FROM_IMPORT)
    task = lab.task(TASK)
    lab.edit("lab.helper", "RATE = 10", "RATE = 20")
    reload("lab.helper")

    require_refused(lab, task, "lab.tasks holds what it took of lab.helper")
    reload("lab.tasks")
    assert run_anew(lab, sys.modules["lab.tasks"].T()).is_complete
    assert lab.load(TASK)["value"] == 40


@pytest.mark.parametrize(
    "taken",
    [
        "class Own(helper.C): pass",
        "OWN = helper.f()",
        "def own(a=helper.f()): pass",
        "own = lambda: f\nown()",
    ],
    ids=["a base", "a value", "a default", "a call"],
)
def test_what_was_made_of_a_module_before_it_was_loaded_anew_is_refused(lab: World, taken: str) -> None:
    lab.code("lab.helper", HELPER + "    class C: pass\n")
    lab.code("lab.tasks", TASKS.replace("helper.f()", "str(own or Own or OWN)"))
    source = lab.folder / "lab" / "tasks.py"
    source.write_text(source.read_text() + "def f(): return helper.g()\n" + taken)
    task = lab.task(TASK)
    lab.edit("lab.helper", "RATE = 10", "RATE = 20")
    reload("lab.helper")

    require_refused(lab, task, "lab.tasks holds what it took of lab.helper")


def test_bytecode_of_other_source_is_refused(lab: World) -> None:
    path = lab.folder / "lab" / "helper.py"
    bytecode = compiled(path)
    status = path.stat()
    lab.edit("lab.helper", "RATE = 10", "RATE = 20")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    task = lab.task(TASK)
    assert sys.modules["lab.helper"].RATE == 10, "Python takes its size and its time for the source"

    require_refused(lab, task, "helper.py was not run as it stands")
    bytecode.unlink()
    assert value(lab) == 20


def test_bytecode_of_the_source_that_is_older_than_its_file_is_no_other(lab: World) -> None:
    """As where both are copied: the source's inode is new, its time is not, and the bytecode is as old."""
    path = lab.folder / "lab" / "helper.py"
    os.utime(compiled(path), (0, 0))

    assert lab.built(TASK)


def ran(lab: World, *words: str) -> str:
    """What a Python of its own prints, with a store of its own."""
    configuration = lab.folder / "luigi.cfg"
    configuration.write_text(f"[headrace]\nstore = {lab.folder / 'own'}\n", encoding="utf-8")
    path = os.pathsep.join([str(lab.folder), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "LUIGI_CONFIG_PATH": str(configuration)}
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=lab.folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_what_began_to_load_before_the_framework_is_known_too(lab: World) -> None:
    """The first task module of a process is under way when the framework is imported."""
    lab.code("lab.tasks", TASKS + "    RATE = 10\n")
    lab.edit("lab.tasks", "helper.f()", "RATE")
    program = """if True:
        import sys
        from pathlib import Path
        import lab.tasks
        path = Path(lab.tasks.__file__)
        path.write_text(path.read_text().replace("RATE = 10", "RATE = 20"))
        import pipeline
        print(pipeline.run(lab.tasks.T()).summary["error"])
    """
    assert "lab.tasks (RATE) was edited after this process loaded it" in ran(lab, "-c", program)


def test_a_script_is_known_by_the_name_under_which_others_import_it(lab: World) -> None:
    script = lab.folder / "lab" / "tasks.py"
    lab.edit("lab.tasks", "from lab import helper", "import pipeline")
    lab.edit("lab.tasks", "helper.f()", "RATE")
    edit = 'path.write_text(path.read_text().replace("RATE = 10", "RATE = 20", 1))'
    told = 'print(pipeline.run(T()).summary["error"])'
    rest = f"RATE = 10\nfrom pathlib import Path\npath = Path(__file__)\n{edit}\n{told}\n"
    script.write_text(script.read_text() + rest)

    assert re.search(r"tasks \(RATE\b.*\) was edited after this process loaded it", ran(lab, str(script)))


def test_a_cell_that_is_run_again_is_what_is_loaded(lab: World, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = ModuleType("notebook_main")
    monkeypatch.setitem(sys.modules, "notebook_main", notebook)
    lab.modules.append("notebook_main")
    for number, rate in enumerate((10, 20)):
        cell = textwrap.dedent(TASKS.replace("helper.f()", str(rate)))
        name = f"<cell {number}>"
        monkeypatch.setitem(linecache.cache, name, (len(cell), None, cell.splitlines(keepends=True), name))
        exec(compile(cell, name, "exec"), vars(notebook))

        assert run_anew(lab, notebook.T()).is_complete
        assert pipeline.load(notebook.T())["value"] == rate
