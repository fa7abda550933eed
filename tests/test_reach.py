"""What a class can reach, however the name gets there; and what the name does not say."""

from __future__ import annotations

import pytest

from tests.project import Project, open_counting

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
    "type checking": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from box.helper import f\n"
        "def use(x: 'list[f]'): pass"
    ),
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
    "nested": (
        "from box.helper import f\n"
        "def use():\n    class Inner:\n        def m(self): return f()\n    return Inner"
    ),
    "import by name": "import importlib\ndef use(): return importlib.import_module('box.helper').f()",
    "relative import by name": (
        "from importlib import import_module\ndef use(): return import_module('.helper', __package__).f()"
    ),
    "import by keyword": "import importlib as i\ndef use(): return i.import_module(name='box.helper').f()",
    "dunder import": "helper = __import__('box.helper').helper\ndef use(): return helper.f()",
}
WHOLE = {"star", "import by name", "relative import by name", "import by keyword", "dunder import"}
"""Ways that may lead to anything in the module."""


@pytest.mark.parametrize("way", WAYS)
def test_a_helper_is_reached_however_its_name_gets_there(project: Project, way: str) -> None:
    project.write("box/__init__.py", "from box.helper import f as exported\n")
    project.write("box/helper.py", "def f(): return 1\ndef g(): return 2\n")
    project.write("box/user.py", WAYS[way])

    assert "box.helper:f" in project.parts("box.user:use")
    assert project.changes("box.user:use", "box/helper.py", "return 1", "return 3")
    if way not in WHOLE:
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
        "user:<body>",  # it imports two modules that do something, in their order
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


# What hears of a class when it is made.

BASES = {
    "asked": "class Base: pass\ndef every(): return Base.__subclasses__()\n",
    "told": (
        "LIST = []\nclass Base:\n    def __init_subclass__(cls): LIST.append(cls)\ndef every(): return LIST\n"
    ),
    "aggregate": (
        "from pipeline import Aggregate\nclass Base(Aggregate): pass\n"
        "def every(): return Base.__subclasses__()\n"
    ),
    "metaclass": (
        "LIST = []\n"
        "class Meta(type):\n    def __init__(cls, *made): LIST.append(cls)\n"
        "class Base(metaclass=Meta): pass\n"
        "def every(): return LIST\n"
    ),
}
IMPORTS = {
    "module": "import parts.impl",
    "submodule": "from parts import impl",
    "class": "from parts.impl import Impl",
    "in function": "def other():\n    from parts.impl import Impl\nother()",
    "by name": "import importlib\nimportlib.import_module('parts.impl')",
}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("statement", IMPORTS)
def test_a_subclass_counts_that_is_known_to_its_base_alone(
    project: Project, base: str, statement: str
) -> None:
    project.write("parts/__init__.py", "")
    project.write("parts/base.py", BASES[base])
    project.write(
        "parts/impl.py", "from parts.base import Base\nclass Impl(Base):\n    def go(self): return 1\n"
    )
    project.write(
        "user.py", f"from parts.base import every\n{IMPORTS[statement]}\ndef use(): return every()\n"
    )

    assert project.changes("user:use", "parts/impl.py", "return 1", "return 2")


def test_a_subclass_counts_that_its_package_imports_for_others(project: Project) -> None:
    project.write("parts/__init__.py", "from parts.impl import Impl\n")
    project.write("parts/base.py", BASES["asked"])
    project.write("parts/impl.py", "from parts.base import Base\nclass Impl(Base): x = 1\n")
    project.write("user.py", "from parts.base import every\ndef use(): return every()\n")

    assert project.changes("user:use", "parts/impl.py", "x = 1", "x = 2")


def test_a_task_is_no_part_of_another_one_with_the_same_base(project: Project) -> None:
    project.write(
        "user.py",
        """
        from pipeline import Map

        class Base(Map): pass
        class One(Base): pass
        class Other(Base): pass
        """,
    )

    assert [name for name in project.parts("user:One") if ":" in name] == ["user:Base", "user:One"]


# A task's inputs enter by what they hold.


@pytest.fixture
def counting(project: Project) -> Project:
    return open_counting(project)


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


@pytest.mark.parametrize(
    "asks", ["self.requires()", "self.inputs['a'].window", "self.input()", "self.deps()"]
)
@pytest.mark.parametrize("where", ["itself", "its base"])
def test_a_task_that_asks_what_it_requires_holds_the_code_that_says_it(
    project: Project, asks: str, where: str
) -> None:
    build = f"    def build(self, a): return {asks}\n"
    project.write("how.py", "from pipeline import Window\nWINDOW = Window(1)\n")
    project.write(
        "user.py",
        "import how\nfrom pipeline import Input, Map\n"
        f"class Base(Map):\n    ...\n{build if where == 'its base' else ''}"
        "class Use(Base):\n    def requires(self): return {'a': Input(None, how.WINDOW)}\n"
        f"{build if where == 'itself' else ''}",
    )

    assert project.changes("user:Use", "how.py", "Window(1)", "Window(2)")
    project.edit("user.py", asks, "a")
    assert not project.changes("user:Use", "how.py", "Window(2)", "Window(3)")
