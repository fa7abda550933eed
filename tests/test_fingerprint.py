"""Code identity: what changes it, what doesn't, and where code comes from."""

from __future__ import annotations

import importlib
import linecache
import os
import subprocess
import sys
from importlib.metadata import version
from types import ModuleType

import pytest

from pipeline.code.fingerprint import CodeCache, declared_result, difference, identify
from pipeline.errors import TaskError
from tests.project import DAILY, Project, open_counting, open_shop


@pytest.fixture
def shop(project: Project) -> Project:
    return open_shop(project)


@pytest.fixture
def counting(project: Project) -> Project:
    return open_counting(project)


def test_the_parts_are_the_definitions_that_the_class_reaches(shop: Project) -> None:
    assert list(shop.parts(DAILY)) == [
        "shop.features:SCALE",
        "shop.features:daily",
        "shop.maths:mean",
        "shop.tasks:Daily",
    ]


def test_a_class_and_its_name_have_one_identity_and_nothing_need_be_imported(shop: Project) -> None:
    named = identify([DAILY])
    assert "shop" not in sys.modules

    cls = importlib.import_module("shop.tasks").Daily

    assert identify([cls]) == named


@pytest.mark.parametrize(
    "edit",
    [
        ("shop/features.py", "# the mean", "# another comment"),
        ("shop/features.py", "SCALE = 10\n", "SCALE   =   (10)\n\n\n"),
        ("shop/tasks.py", '"""Tasks."""\n', ""),
        ("shop/tasks.py", "One row a day.", "Other words."),
        ("shop/features.py", "return 1", "return 2"),
        ("shop/features.py", "def unrelated", "def renamed"),
    ],
    ids=["comment", "layout", "module docstring", "class docstring", "unrelated", "its name"],
)
def test_what_has_no_effect_changes_nothing(shop: Project, edit: tuple[str, str, str]) -> None:
    assert not shop.changes(DAILY, *edit)


@pytest.mark.parametrize(
    "edit",
    [
        ("shop/maths.py", "sum(rows)", "max(rows)"),
        ("shop/features.py", "SCALE = 10", "SCALE = 11"),
        ("shop/features.py", "SCALE = 10", "SCALE = 10.0"),
        ("shop/features.py", "limit=3", "limit=4"),
        ("shop/tasks.py", "features.daily(rows)", "features.daily(rows, 2)"),
        ("shop/features.py", "def daily", "import functools\n@functools.cache\ndef daily"),
    ],
    ids=["two modules away", "constant", "its type", "default", "body", "decorator"],
)
def test_what_may_have_an_effect_changes_it(shop: Project, edit: tuple[str, str, str]) -> None:
    assert shop.changes(DAILY, *edit)


# What a method is declared to return.


def test_the_declared_result_is_found_through_bases_and_quotes(counting: Project) -> None:
    assert declared_result("counting:Derived", "summarize") == "counts:Counts"
    assert declared_result("counting:Derived", "absent") is None
    assert declared_result("counting:Consumer", "build") is None


@pytest.mark.parametrize("annotation", ["int", "pathlib.Path", "pa.Table", "Digest", "gone.Name"])
def test_a_result_that_is_not_first_party_is_none(project: Project, annotation: str) -> None:
    project.write(
        "user.py",
        f"""
        import gone, pathlib, pyarrow as pa
        from pipeline.values.digest import Digest
        class Use:
            def build(self) -> "{annotation}": ...
        """,
    )

    assert declared_result("user:Use", "build") is None


def test_a_method_of_the_declared_aggregate_changes_its_consumer(counting: Project) -> None:
    kind = declared_result("counting:Derived", "summarize")
    assert kind is not None

    before = identify(["counting:Consumer", kind]).parts
    counting.edit("counts.py", "def total(self): return 0", "def total(self): return 1")
    after = identify(["counting:Consumer", kind]).parts

    assert difference(before, after) == ["counts:Counts changed (counts.py)"]


# Distributions.


def test_distributions_are_those_of_the_reached_code_and_what_they_need(project: Project) -> None:
    project.write(
        "user.py",
        """
        import pandas as pd
        import pyarrow as pa

        def table(): return pa.table({})
        def late(): import pyarrow
        def frame(): return pd.DataFrame()
        """,
    )

    assert identify(["user:table"]).distributions == {"pyarrow": version("pyarrow")}
    assert identify(["user:late"]).distributions == {"pyarrow": version("pyarrow")}
    frame = identify(["user:frame"]).distributions
    assert frame["pandas"] == version("pandas")
    assert frame["python-dateutil"] == version("python-dateutil")
    assert "pyarrow" not in frame


@pytest.mark.parametrize("table", ["table", "table.slice(1)", "load()[0]"])
def test_a_table_turned_into_a_pandas_frame_brings_pandas(project: Project, table: str) -> None:
    project.write("user.py", f"def use(table, load): return {table}.to_pandas().sum()\n")

    assert identify(["user:use"]).distributions["pandas"] == version("pandas")


def test_python_enters_by_its_minor_version(shop: Project) -> None:
    assert identify([DAILY]).python == f"{sys.version_info[0]}.{sys.version_info[1]}"


# Where code comes from.


def test_a_script_has_the_identity_of_the_module_that_it_is(project: Project) -> None:
    project.write(
        "script.py",
        """
        class Counts: pass
        class Use:
            def build(self) -> Counts: ...
        if __name__ == "__main__":
            from pipeline.code.fingerprint import declared_result, identify
            print(identify([Use]).digest, declared_result(Use, "build"))
        """,
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=project.root, env=env, capture_output=True, check=True
    )

    # The type is loaded from its name again: by any other than `__main__` it would be a second one.
    assert ran.stdout.decode().split() == [identify(["script:Use"]).digest, "__main__:Counts"]


def test_a_notebook_is_read_from_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    def ran(*cells: str) -> str:
        notebook = ModuleType("notebook_main")
        monkeypatch.setitem(sys.modules, "notebook_main", notebook)
        for number, cell in enumerate(cells):
            monkeypatch.setitem(
                linecache.cache, f"<cell {number}>", (len(cell), None, [cell], f"<cell {number}>")
            )
            exec(compile(cell, f"<cell {number}>", "exec"), vars(notebook))
        cache = CodeCache()
        code = cache.identify([notebook.Use])
        assert CodeCache(cache.state()).lookup([notebook.Use]) is None, "a cell can't be looked at"
        return code.digest

    use = "class Use:\n    def build(self): return f() + os.sep\n"
    first = ran("import os", "def f(): return 'a'", use)

    assert first == ran("import os", "def f(): return 'a'  # same", use)
    assert first != ran("import os", "def f(): return 'b'", use)


def test_an_interactive_class_whose_text_is_lost_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("lost_main")
    monkeypatch.setitem(sys.modules, "lost_main", module)
    exec("class Use:\n    def build(self): pass\n", vars(module))

    with pytest.raises(TaskError, match="lost_main:Use: the text of the cell"):
        identify([module.Use])


def test_a_class_made_in_a_function_belongs_to_that_function(project: Project) -> None:
    project.write("user.py", "def make():\n    class Inner: pass\n    return Inner\n")

    assert list(project.parts("user:make.<locals>.Inner")) == ["user:make"]


def test_a_root_that_is_installed_is_first_party_all_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import deployed_helper\ndef use(): return deployed_helper.f()\n"
    project.write("site-packages/deployed/__init__.py", source)
    project.write("site-packages/deployed_helper.py", "def f(): return 1\n")
    monkeypatch.syspath_prepend(project.root / "site-packages")

    code = identify(["deployed:use"])

    assert list(code.parts) == ["deployed:use"]
    assert code.distributions == {"deployed_helper": "unknown"}


@pytest.mark.parametrize("source", [b"def f(:\n", b"x = 1\0\n", b"# coding: latin-9000\n"])
def test_source_that_is_not_python_is_named(project: Project, source: bytes) -> None:
    project.write("user.py", "import broken\ndef use(): return broken.f()\n")
    (project.root / "broken.py").write_bytes(source)

    with pytest.raises(TaskError, match=r"broken\.py:1: not Python 3"):
        identify(["user:use"])


def test_a_module_that_is_nowhere_is_named() -> None:
    with pytest.raises(TaskError, match="nowhere:Use: found no source of module nowhere"):
        identify(["nowhere:Use"])


# Differences.


def test_a_difference_names_the_definition_and_its_file(shop: Project) -> None:
    before = shop.parts(DAILY)
    shop.edit("shop/features.py", "limit=3", "limit=4")
    shop.edit("shop/features.py", "mean(rows[:limit])", "unrelated()")

    assert difference(before, shop.parts(DAILY)) == [
        "shop.features:daily changed (shop/features.py)",
        "shop.features:unrelated added (shop/features.py)",
        "shop.maths:mean removed (shop/maths.py)",
    ]
    assert difference(before, before) == []
    assert difference({}, {"shop:x": "1"}) == ["shop:x added (shop/__init__.py)"]
