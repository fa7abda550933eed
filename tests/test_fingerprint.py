"""Code identity: what changes it, what doesn't, and what it costs when nothing did."""

from __future__ import annotations

import importlib
import json
import linecache
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

import pipeline
from pipeline.clock import machine_now_ns
from pipeline.code import syntax
from pipeline.code.fingerprint import CodeCache, declared_result, difference, identify
from pipeline.errors import TaskError

HOUR_NS = 3_600_000_000_000
SECOND_NS = 1_000_000_000


class Project:
    """A checkout: files that are written, and the identity of what they define."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def parts(self, *roots: str) -> dict[str, str]:
        return dict(identify(roots).parts)

    def changes(self, root: str, *edit: str) -> bool:
        """Whether an edit (path, old, new) changes the identity of `root`."""
        before = identify([root]).digest
        self.edit(*edit)
        return identify([root]).digest != before


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An importable, empty directory; what is imported from it is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield Project(tmp_path)
    for name in set(sys.modules) - known:
        path = getattr(sys.modules[name], "__file__", None) or ""
        if path.startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def shop(project: Project) -> Project:
    """A task that uses a helper, which uses another one two modules away."""
    project.write("shop/__init__.py", "")
    project.write(
        "shop/tasks.py",
        '''
        """Tasks."""
        from shop import features

        class Daily:
            """One row a day."""

            def build(self, rows):
                return features.daily(rows)
        ''',
    )
    project.write(
        "shop/features.py",
        """
        from shop.maths import mean

        SCALE = 10

        def daily(rows, limit=3):
            # the mean
            return mean(rows[:limit]) * SCALE

        def unrelated():
            return 1
        """,
    )
    project.write("shop/maths.py", "def mean(rows):\n    return sum(rows) / len(rows)\n")
    return project


DAILY = "shop.tasks:Daily"


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


# How a name may lead from one module to another. `f` calls the helper; `g` is never reached.
WAYS = {
    "from": "from box.helper import f\ndef use(): return f()",
    "renamed": "from box.helper import f as g\ndef use(): return g()",
    "module": "import box.helper\ndef use(): return box.helper.f()",
    "alias": "import box.helper as h\ndef use(): return h.f()",
    "submodule": "from box import helper\ndef use(): return helper.f()",
    "relative": "from .helper import f\ndef use(): return f()",
    "relative module": "from . import helper\ndef use(): return helper.f()",
    "in function": "def use():\n    from box.helper import f\n    return f()",
    "module in function": "def use():\n    import box.helper as h\n    return h.f()",
    "re-export": "from box import exported\ndef use(): return exported()",
    "re-export of module": "import box\ndef use(): return box.exported()",
    "in try": "try:\n    from box.helper import f\nexcept ImportError:\n    f = None\ndef use(): return f()",
    "in if": "if 1:\n    from box.helper import f\ndef use(): return f()",
    "type checking": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from box.helper import f\ndef use(x: 'list[f]'): pass",
    "decorator": "from box.helper import f\n@f\ndef use(): pass",
    "default": "from box.helper import f\ndef use(x=f): pass",
    "annotation": "from box.helper import f\ndef use(x: f): pass",
    "string annotation": "from box.helper import f\ndef use(x: 'f | None'): pass",
    "string return": "from box import helper\ndef use() -> 'helper.f': pass",
    "keyword": "from box.helper import f\ndef use(): return sorted([], key=f)",
    "base": "from box.helper import f\nclass use(f): pass",
    "constant": "from box.helper import f\nTABLE = {'x': f}\ndef use(): return TABLE['x']()",
    "tuple": "from box.helper import f\nA, (B, *C) = 1, (f, 2)\ndef use(): return B()",
    "annotated": "from box.helper import f\nA: object = f\ndef use(): return A()",
    "augmented": "from box.helper import f\nA = []\nA += [f]\ndef use(): return A",
    "walrus": "from box.helper import f\nA = (B := f)\ndef use(): return B()",
    "attribute of a call": "from box.helper import f\ndef use(): return f().x.y",
    "global": "from box.helper import f\nA = f\ndef use():\n    global A\n    A = 1",
    "star": "from box.helper import *\ndef use(): return f()",
    "lambda": "from box.helper import f\nuse = lambda: f()",
    "nested": "from box.helper import f\ndef use():\n    class Inner:\n        def m(self): return f()\n    return Inner",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_helper_is_reached_however_its_name_gets_there(project: Project, way: str) -> None:
    project.write("box/__init__.py", "from box.helper import f as exported\n")
    project.write("box/helper.py", "def f(): return 1\ndef g(): return 2\n")
    project.write("box/user.py", WAYS[way])

    assert "box.helper:f" in project.parts("box.user:use")
    assert project.changes("box.user:use", "box/helper.py", "return 1", "return 3")
    if way != "star":
        assert not project.changes("box.user:use", "box/helper.py", "return 2", "return 4")


def test_a_star_import_brings_the_whole_module_and_what_it_imports(project: Project) -> None:
    project.write("deep.py", "def f(): return 1\n")
    project.write("middle.py", "from deep import f\nX = 1\n")
    project.write("user.py", "from middle import *\ndef use(): return f()\n")

    assert set(project.parts("user:use")) == {"user:use", "deep:f", "middle:X"}


@pytest.mark.parametrize("use", ["getattr(helper, name)", "run(helper)", "helper.unknown"])
def test_a_module_of_which_anything_may_be_used_counts_as_a_whole(project: Project, use: str) -> None:
    project.write("deep.py", "def f(): return 1\n")
    project.write("helper.py", "from deep import f\ndef g(): return 2\n")
    project.write("user.py", f"import helper\ndef use(name): return {use}\n")

    assert set(project.parts("user:use")) == {"user:use", "helper:g", "deep:f"}


def test_modules_that_import_each_other_are_read_to_an_end(project: Project) -> None:
    project.write("ping.py", "import pong\nfrom pong import lost\ndef f(): return pong.g(), lost\n")
    project.write("pong.py", "import ping\nfrom ping import lost\ndef g(): return ping.f(), lost\n")

    assert set(project.parts("ping:f")) == {"ping:f", "pong:g"}


def test_top_level_effects_of_reached_modules_count_and_are_followed(project: Project) -> None:
    project.write("helper.py", "TABLE = {}\nTABLE['x'] = 1\ndef f(): return TABLE\n")
    project.write("user.py", "from helper import f\nimport extra\ndef use(): return f()\n")
    project.write("extra.py", "import deep, helper\nhelper.TABLE['y'] = deep.g\ndef h(): pass\n")
    project.write("deep.py", "def g(): return 1\n")

    assert set(project.parts("user:use")) == {
        "user:use",
        "helper:f",
        "helper:TABLE",
        "helper:<body>",
        "extra:<body>",  # imported for its effect: nothing uses the name `extra`
        "deep:g",
    }


def test_the_effects_of_the_packages_around_a_module_count(project: Project) -> None:
    project.write("outer/__init__.py", "import warnings\nwarnings.simplefilter('error')\n")
    project.write("outer/inner.py", "def use(): pass\n")

    assert set(project.parts("outer.inner:use")) == {"outer.inner:use", "outer:<body>"}


def test_what_a_first_party_decorator_may_have_registered_counts(project: Project) -> None:
    project.write(
        "rules.py",
        """
        RULES = []

        def rule(function):
            RULES.append(function)
            return function

        @rule
        def positive(x): return x > 0

        def use(x): return [r(x) for r in RULES]
        """,
    )

    assert project.changes("rules:use", "rules.py", "x > 0", "x >= 0")


def test_a_main_block_is_nobodys_code(project: Project) -> None:
    project.write("user.py", "def use(): pass\nif __name__ == '__main__':\n    print(1)\n")

    assert list(project.parts("user:use")) == ["user:use"]
    assert not project.changes("user:use", "user.py", "print(1)", "print(2)")


def test_an_inherited_base_is_part_of_its_subclass(project: Project) -> None:
    project.write("base.py", "class Base:\n    def build(self): return 1\n")
    project.write("user.py", "import base\nclass Use(base.Base):\n    pass\n")

    assert project.changes("user:Use", "base.py", "return 1", "return 2")


AGGREGATE_TASKS = """
    import luigi
    from counts import Counts, helper

    class Upstream(luigi.Task):
        def summarize(self, rows: "Rows") -> "Counts":
            return Counts().add(rows)

    class Derived(Upstream):
        pass

    class Consumer(luigi.Task):
        def requires(self):
            return {"counts": Derived()}

        def build(self, counts):
            return counts.total()
    """


@pytest.fixture
def counting(project: Project) -> Project:
    """A consumer of an aggregate that it does not name."""
    project.write("counting.py", AGGREGATE_TASKS)
    project.write(
        "counts.py",
        """
        class Counts:
            def add(self, rows): return self
            def total(self): return 0

        def helper() -> "Counts": ...
        """,
    )
    return project


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


def test_the_code_of_an_upstream_task_is_not_its_consumers(counting: Project) -> None:
    assert list(counting.parts("counting:Consumer")) == ["counting:Consumer"]


def test_luigis_requires_decorator_names_inputs_too(counting: Project) -> None:
    counting.write(
        "more.py",
        """
        import luigi
        from luigi.util import requires
        from counting import Upstream

        @requires(counts=Upstream)
        class Consumer(luigi.Task):
            def build(self, counts): return counts
        """,
    )

    assert list(counting.parts("more:Consumer")) == ["more:Consumer"]


def test_a_method_called_requires_of_an_ordinary_class_is_followed(project: Project) -> None:
    project.write("user.py", "def f(): return 1\nclass Use:\n    def requires(self): return f()\n")

    assert set(project.parts("user:Use")) == {"user:f", "user:Use"}


# Distributions.


def test_distributions_are_those_of_the_reached_code_and_what_they_need(project: Project) -> None:
    project.write(
        "user.py",
        """
        import luigi
        import pyarrow as pa

        class Task(luigi.Task): pass
        def table(): return pa.table({})
        def late(): import pyarrow
        """,
    )
    from importlib.metadata import version

    assert identify(["user:table"]).distributions == {"pyarrow": version("pyarrow")}
    assert identify(["user:late"]).distributions == {"pyarrow": version("pyarrow")}
    luigi = identify(["user:Task"]).distributions
    assert luigi["luigi"] == version("luigi")
    assert luigi["tornado"] == version("tornado")
    assert "pyarrow" not in luigi


def test_python_enters_by_its_minor_version(shop: Project) -> None:
    assert identify([DAILY]).python == f"{sys.version_info[0]}.{sys.version_info[1]}"


# The framework.


@pytest.fixture
def framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two modules added to the framework, one of them with semantics; and its lazy table."""
    home = tmp_path / "framework"
    home.mkdir()
    (home / "stand_in.py").write_text("SEMANTICS = 3\nclass Pattern: pass\n")
    (home / "quiet.py").write_text("class Silent: pass\n")
    (home / "__init__.py").write_text('_HOME = {"Pattern": "pipeline.stand_in"}\n')
    monkeypatch.setattr(pipeline, "__path__", [*pipeline.__path__, str(home)])
    monkeypatch.setattr(pipeline, "__file__", str(home / "__init__.py"))
    return home


@pytest.mark.parametrize(
    "source",
    [
        "from pipeline import Pattern\nclass Use(Pattern): pass",
        "import pipeline\nclass Use(pipeline.Pattern): pass",
        "from pipeline.stand_in import Pattern\nclass Use(Pattern): pass",
        "from pipeline import stand_in\nclass Use(stand_in.Pattern): pass",
        "from between import Base\nclass Use(Base): pass",
    ],
)
def test_the_framework_enters_by_the_number_of_its_semantics(
    project: Project, framework: Path, source: str
) -> None:
    project.write("between.py", "from pipeline import Pattern\nclass Base(Pattern): pass\n")
    project.write("user.py", source)

    assert project.parts("user:Use")["pipeline.stand_in"] == "semantics 3"

    (framework / "stand_in.py").write_text("SEMANTICS = 3\nclass Pattern: changed = 1\n")
    same = project.parts("user:Use")
    (framework / "stand_in.py").write_text("SEMANTICS = 4\nclass Pattern: pass\n")

    assert difference(same, project.parts("user:Use")) == [
        "pipeline.stand_in changed (semantics 3 -> semantics 4)"
    ]


@pytest.mark.usefixtures("framework")
def test_a_framework_module_without_semantics_adds_nothing(project: Project) -> None:
    project.write("user.py", "from pipeline.quiet import Silent\nclass Use(Silent): pass\n")

    assert list(project.parts("user:Use")) == ["user:Use"]


def test_a_framework_module_brings_the_packages_that_it_names(project: Project, framework: Path) -> None:
    (framework / "stand_in.py").write_text(
        'import scipy\nSEMANTICS = 3\nPACKAGES = ("luigi",)\nclass Pattern: pass\n'
    )
    project.write("user.py", "from pipeline.stand_in import Pattern\nclass Use(Pattern): pass\n")

    versions = identify(["user:Use"]).distributions

    assert "luigi" in versions
    assert "tornado" in versions  # what Luigi needs in turn
    assert "scipy" not in versions


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


# The cache.


def in_an_hour() -> int:
    return machine_now_ns() + HOUR_NS


def remembered(roots: list[str]) -> dict[str, object]:
    """The state after `roots` were identified an hour after their files were written."""
    cache = CodeCache(now_ns=in_an_hour)
    cache.identify(roots)
    state: dict[str, object] = json.loads(json.dumps(cache.state()))
    return state


def test_what_was_identified_is_remembered_through_json(shop: Project) -> None:
    state = remembered([DAILY])

    assert CodeCache(state).lookup([DAILY]) == identify([DAILY])
    assert CodeCache(state).lookup(["shop.features:unrelated"]) is None
    others: list[object] = [{}, None, [], {"format": "another", "entries": {}}]
    for other in others:
        assert CodeCache(other).lookup([DAILY]) is None


@pytest.mark.parametrize("path", ["shop/__init__.py", "shop/tasks.py", "shop/maths.py"])
def test_an_edited_file_is_read_again(shop: Project, path: str) -> None:
    state = remembered([DAILY])
    shop.write(path, (shop.root / path).read_text() + "# longer\n")

    cache = CodeCache(state)

    assert cache.lookup([DAILY]) is None
    assert cache.identify([DAILY]).digest == identify([DAILY]).digest


def test_a_missing_file_is_a_miss(shop: Project) -> None:
    state = remembered([DAILY])
    (shop.root / "shop/maths.py").unlink()

    assert CodeCache(state).lookup([DAILY]) is None


def test_an_optional_module_that_turns_up_is_noticed(project: Project) -> None:
    project.write(
        "user.py",
        "try:\n    import faster\nexcept ImportError:\n    faster = None\ndef use(): return faster.f()\n",
    )
    state = remembered(["user:use"])
    project.write("faster.py", "def f(): return 1\n")

    cache = CodeCache(state)

    assert cache.lookup(["user:use"]) is None
    assert "faster:f" in cache.identify(["user:use"]).parts


def test_a_changed_site_directory_or_search_path_is_a_miss(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = project.root / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    project.write("user.py", "def use(): pass\n")
    state = remembered(["user:use"])
    assert CodeCache(state).lookup(["user:use"]) is not None

    os.utime(site, ns=(1, 1))
    assert CodeCache(state).lookup(["user:use"]) is None

    state = remembered(["user:use"])
    monkeypatch.syspath_prepend(project.root / "elsewhere")
    assert CodeCache(state).lookup(["user:use"]) is None


@pytest.mark.parametrize(("age_s", "is_trusted"), [(1, False), (3, True)])
def test_a_file_that_was_just_written_when_hashed_is_hashed_again(
    shop: Project, age_s: int, is_trusted: bool
) -> None:
    newest = max(max(sig[1:3]) for sig in identify([DAILY]).files.values())
    cache = CodeCache(now_ns=lambda: newest + age_s * SECOND_NS)
    cache.identify([DAILY])

    assert (CodeCache(cache.state()).lookup([DAILY]) is not None) is is_trusted


def test_a_declared_result_is_remembered_with_its_class(counting: Project) -> None:
    cache = CodeCache(now_ns=in_an_hour)
    assert cache.declared_result("counting:Derived", "summarize") == "counts:Counts"

    again = CodeCache(cache.state())
    assert again.declared_result("counting:Derived", "summarize") == "counts:Counts"

    counting.edit("counting.py", '-> "Counts"', "-> None")
    assert CodeCache(cache.state()).declared_result("counting:Derived", "summarize") is None


WATCHED = """
import json, os, sys
from pipeline.code.fingerprint import CodeCache
state = json.load(open("state.json"))
events = []
sys.addaudithook(lambda event, args: events.append(event))
stats = []
stat = os.stat
os.stat = lambda path, **kw: stats.append(path) or stat(path, **kw)
cache = CodeCache(state)
assert cache.lookup(["counting:Consumer", "counts:Counts"]) is not None
assert cache.lookup(["counting:Consumer"]) is not None
assert cache.declared_result("counting:Derived", "summarize") == "counts:Counts"
assert not {"open", "compile", "exec", "import"} & set(events), events
assert len(stats) == len(set(stats)), stats
# `ast` itself can't be asked for: `dataclasses` loads it (through `inspect`).
heavy = {"pipeline.code.codebase", "pipeline.code.syntax", "importlib.metadata", "counting"}
assert not heavy & set(sys.modules), sorted(sys.modules)
"""


def test_a_hit_opens_parses_and_imports_nothing_and_looks_at_each_file_once(
    counting: Project,
) -> None:
    counting.write("watched.py", WATCHED)
    path = [os.fspath(counting.root), *sys.path]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, path))}
    fill = """
import json
from pipeline.clock import machine_now_ns
from pipeline.code.fingerprint import CodeCache
cache = CodeCache(now_ns=lambda: machine_now_ns() + 10**12)
cache.identify(["counting:Consumer", "counts:Counts"])
cache.identify(["counting:Consumer"])
cache.declared_result("counting:Derived", "summarize")
json.dump(cache.state(), open("state.json", "w"))
"""
    counting.write("fill.py", fill)
    for script in ("fill.py", "watched.py"):
        subprocess.run([sys.executable, "-B", script], cwd=counting.root, env=env, check=True)


# The normal form.

EVERYTHING = '''
"""Module."""
import os.path as p
from . import q

@p.cache
async def f(a, /, b: "int" = 1, *c, d=None, **e) -> None:
    """Function."""
    x = {**a, b: [1.5, True, "é", b"z", 2j, ...]}
    async for i in x:
        yield f"{i!r:>{b}} {b=}"
    try:
        del x[1:2, ...]
    except* (OSError, ValueError) as error:
        raise SystemExit from error
    match b:
        case {"k": [1, *rest], **other} | None if rest:
            pass
        case q.Name(v=0) as named:
            return
    return (lambda y, *z: (y := -z[0]))(*c, **e)

class C(q.D, metaclass=M):
    """Class."""
'''


def test_the_normal_form_is_fixed() -> None:
    """Changing it rebuilds every store: raise the number in `syntax._FORMAT`, and say so."""
    assert syntax.digest(syntax.parse(EVERYTHING).body) == (
        "5e85015d7402ed3b86592b351dd0c873b0b8774a5b613187eb0e286a8bf7481d"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("class A: 'doc'", "class A: pass"),
        ("def f():\n 'doc'\n return 1", "def f(): return 1"),
        ("x = 'a' 'b'", "x = ('ab')"),
        ("x = 0x10", "x = 16"),
        ("async def f(): 'doc'", "async def f():\n  '''other'''"),
    ],
)
def test_the_same_meaning_has_one_form(one: str, other: str) -> None:
    assert syntax.digest(syntax.parse(one).body) == syntax.digest(syntax.parse(other).body)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = 'a'", "x = b'a'"),
        ("x = 0.0", "x = -0.0"),
        ("x = {**a, k: b}", "x = {k: a, **b}"),
        ("def f(*, a=None, b): 1", "def f(*, a, b=None): 1"),
        ("f('a', 'b')", "f('ab')"),
        ("f([a], b)", "f([a, b])"),
        ("a.b", "a['b']"),
        ("if a:\n b\nc", "if a:\n b\n c"),
        ("for x in y: pass\nelse: z", "for x in y: z"),
    ],
)
def test_another_meaning_has_another_form(one: str, other: str) -> None:
    assert syntax.digest(syntax.parse(one).body) != syntax.digest(syntax.parse(other).body)


def test_a_sum_of_a_thousand_terms_has_a_form() -> None:
    assert syntax.digest(syntax.parse("x = " + " + ".join("y" * 2000)).body)
