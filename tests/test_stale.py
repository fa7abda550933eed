"""An edit that changes a value rebuilds it, however little the edited text is named by the task."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.store.local import LocalStorage
from tests.world import World


class Edit(NamedTuple):
    """Some modules beside each other, one of which is edited (or added: the old text is empty)."""

    modules: dict[str, str]
    module: str
    old: str
    new: str
    before: object
    after: object


HEAD = "from pipeline import Task\n"
TASK = HEAD + "{head}\nclass T(Task):\n    def build(self): return {value}\n"


def task(head: str, value: str) -> str:
    return TASK.format(head=head, value=value)


DECORATED = HEAD + (
    "from {module} import doubled\n@doubled\nclass T(Task):\n    def build(self): return self.one()\n"
    "    def one(self): return 3\n"
)
DOUBLED = """
    def doubled(cls):
        class Doubled(cls):
            def build(self): return 2 * super().build()
        {named}
        return Doubled
"""
NAMED = "Doubled.__name__ = Doubled.__qualname__ = cls.__name__"
FACTORY = """
    from pipeline import Task
    def make(k):
        class Scaled(Task):
            def build(self): return 10 * k
        {named}
        return Scaled
"""
MADE = "from {module} import make\nT = make(2)\n"
PREC = "import decimal\nNAME = 'x'\ndecimal.getcontext().prec = 3\n"
THIRD = "str(decimal.Decimal(1) / 3)"
REGISTRY = "FACTOR = {}\n"
HELPER = f"import decimal, settings\ndef third(): return {THIRD}\ndef other(): return settings.NAME\n"
RULES = "RULES = []\ndef rule(f):\n    RULES.append(f)\n    return f\n"

EDITS = {
    "a class below a decorator's": Edit(
        {"tasks": DECORATED.format(module="decor"), "decor": DOUBLED.format(named="")},
        "tasks", "return 3", "return 53", 6, 106,
    ),
    "a class below a decorator's of the same name": Edit(
        {"tasks": DECORATED.format(module="decor"), "decor": DOUBLED.format(named=NAMED)},
        "tasks", "return 3", "return 53", 6, 106,
    ),
    "what a decorator makes": Edit(
        {"tasks": DECORATED.format(module="decor"), "decor": DOUBLED.format(named="")},
        "decor", "2 *", "3 *", 6, 9,
    ),
    "a factory's argument": Edit(
        {"tasks": FACTORY.format(named="") + "    T = make(2)\n"}, "tasks", "make(2)", "make(3)", 20, 30,
    ),
    "the argument of another module's factory": Edit(
        {"tasks": MADE.format(module="factory"), "factory": FACTORY.format(named="")},
        "tasks", "make(2)", "make(3)", 20, 30,
    ),
    "a factory's argument for a class that is imported": Edit(
        {"tasks": "from made import T\n", "made": MADE.format(module="factory"),
         "factory": FACTORY.format(named="")},
        "made", "make(2)", "make(3)", 20, 30,
    ),
    "a factory's argument for a class that calls itself otherwise": Edit(
        {"tasks": MADE.format(module="factory"),
         "factory": FACTORY.format(named="Scaled.__name__ = Scaled.__qualname__ = 'Other'")},
        "tasks", "make(2)", "make(3)", 20, 30,
    ),
    "a factory of other text": Edit(
        {"tasks": MADE.format(module="factory"), "factory": FACTORY.format(named="")},
        "factory", "10 *", "11 *", 20, 22,
    ),
    "the argument of a base's factory": Edit(
        {"tasks": "from factory import make\nclass T(make(2)): pass\n",
         "factory": FACTORY.format(named="")},
        "tasks", "make(2)", "make(3)", 20, 30,
    ),
    "an effect of an import that is used elsewhere": Edit(
        {"tasks": task("import decimal, helper", "helper.third()"),
         "helper": HELPER,
         "settings": PREC},
        "settings", "prec = 3", "prec = 8", "0.333", "0.33333333",
    ),
    "an effect that is added to such a module": Edit(
        {"tasks": task("import decimal, helper", "helper.third()"),
         "helper": HELPER,
         "settings": PREC.replace("decimal.getcontext().prec = 3\n", "decimal.DefaultContext\n")},
        "settings", "decimal.DefaultContext", "decimal.getcontext().prec = 5", "0." + "3" * 28, "0.33333",
    ),
    "an effect two imports away, by a name from the module": Edit(
        {"tasks": task("import decimal\nfrom helper import NAME\ndef other(): return NAME", THIRD),
         "helper": "from settings import NAME\ndef other(): return NAME\n", "settings": PREC},
        "settings", "prec = 3", "prec = 8", "0.333", "0.33333333",
    ),
    "a registry's entry": Edit(
        {"tasks": task("import registry, entries\ndef other(): return entries.NAME", "registry.FACTOR['f']"),
         "registry": REGISTRY, "entries": "import registry\nNAME = 'x'\nregistry.FACTOR['f'] = 2\n"},
        "entries", "= 2", "= 3", 2, 3,
    ),
    "a name that is bound again": Edit(
        {"tasks": task("K = 1\nB = K * 10\nK = 2", "B")},
        "tasks", "B = K * 10\nK = 2", "K = 2\nB = K * 10", 10, 20,
    ),
    "a name that is bound again, seen by a function": Edit(
        {"tasks": task("def f(): return K * 10\nK = 1\nB = f()\nK = 2", "B")},
        "tasks", "B = f()\nK = 2", "K = 2\nB = f()", 10, 20,
    ),
    "a name that is bound again, seen by a class": Edit(
        {"tasks": task("K = 1\nclass C:\n    b = K\nK = 2", "C.b")},
        "tasks", "class C:\n    b = K\nK = 2", "K = 2\nclass C:\n    b = K", 1, 2,
    ),
    "a name that is bound again, seen by a default": Edit(
        {"tasks": task("K = 1\ndef f(k=K): return k\nK = 2", "f()")},
        "tasks", "def f(k=K): return k\nK = 2", "K = 2\ndef f(k=K): return k", 1, 2,
    ),
    "a name that is bound again, seen by an effect": Edit(
        {"tasks": task("K = 1\nTABLE = {}\nTABLE['x'] = K\nK = 2", "TABLE['x']")},
        "tasks", "TABLE['x'] = K\nK = 2", "K = 2\nTABLE['x'] = K", 1, 2,
    ),
    "a function that is defined again by an import": Edit(
        {"tasks": task("def f(): return 1\nfrom other import f", "f()"), "other": "def f(): return 2\n"},
        "tasks", "def f(): return 1\nfrom other import f", "from other import f\ndef f(): return 1", 2, 1,
    ),
    "two imports of one name": Edit(
        {"tasks": task("from one import f\nfrom other import f", "f()"),
         "one": "def f(): return 1\n", "other": "def f(): return 2\n"},
        "tasks", "from one import f\nfrom other import f", "from other import f\nfrom one import f", 2, 1,
    ),
    "two star imports": Edit(
        {"tasks": task("from one import *\nfrom other import *", "f()"),
         "one": "def f(): return 1\n", "other": "def f(): return 2\n"},
        "tasks", "from one import *\nfrom other import *", "from other import *\nfrom one import *", 2, 1,
    ),
    "a constant across a star import": Edit(
        {"tasks": task("K = 1\nfrom other import *", "K"), "other": "K = 2\n"},
        "tasks", "K = 1\nfrom other import *", "from other import *\nK = 1", 2, 1,
    ),
    "a count across an effect": Edit(
        {"tasks": task("NAMES = ['x']\nCOUNT = len(NAMES)\nNAMES.append('y')", "COUNT")},
        "tasks", "COUNT = len(NAMES)\nNAMES.append('y')", "NAMES.append('y')\nCOUNT = len(NAMES)", 1, 2,
    ),
    "a quotient across an effect that it doesn't name": Edit(
        {"tasks": task(f"import decimal\nX = {THIRD}\ndecimal.getcontext().prec = 3", "X")},
        "tasks", f"X = {THIRD}\ndecimal.getcontext().prec = 3",
        f"decimal.getcontext().prec = 3\nX = {THIRD}", "0." + "3" * 28, "0.333",
    ),
    "a quotient across an import": Edit(
        {"tasks": task(f"import decimal\nX = {THIRD}\nimport settings", "X"), "settings": PREC},
        "tasks", f"X = {THIRD}\nimport settings", f"import settings\nX = {THIRD}",
        "0." + "3" * 28, "0.333",
    ),
    "two effects that are imported": Edit(
        {"tasks": task("import decimal\nimport one\nimport settings", THIRD),
         "settings": PREC, "one": PREC.replace("3", "4")},
        "tasks", "import one\nimport settings", "import settings\nimport one", "0.333", "0.3333",
    ),
    "two effects that are imported at once": Edit(
        {"tasks": task("import decimal\nimport wrapper\n", THIRD), "wrapper": "import one, settings\n",
         "settings": PREC, "one": PREC.replace("3", "4")},
        "wrapper", "one, settings", "settings, one", "0.333", "0.3333",
    ),
    "a name that an effect binds again": Edit(
        {"tasks": task("def f(): return 1\nif str(1):\n    def f(): return 2", "f()")},
        "tasks", "def f(): return 1\nif str(1):\n    def f(): return 2",
        "if str(1):\n    def f(): return 2\ndef f(): return 1", 2, 1,
    ),
    "the order of what is registered": Edit(
        {"tasks": task("from rules import RULES, rule\n@rule\ndef a(): return 1\n@rule\ndef b(): return 2",
                       "[r() for r in RULES]"), "rules": RULES},
        "tasks", "@rule\ndef a(): return 1\n@rule\ndef b(): return 2",
        "@rule\ndef b(): return 2\n@rule\ndef a(): return 1", [1, 2], [2, 1],
    ),
    "a module of a standard library's name": Edit(
        {"tasks": task("import colorsys", "colorsys.VALUE"), "colorsys": "VALUE = 1\n"},
        "colorsys", "= 1", "= 2", 1, 2,
    ),
    "a module that comes before the standard library's": Edit(
        {"tasks": task("import colorsys", "colorsys.ONE_SIXTH * 6")},
        "colorsys", "", "ONE_SIXTH = 1\n", 1.0, 6,
    ),
    "a package that comes before a module": Edit(
        {"tasks": task("import helper", "helper.VALUE"), "helper": "VALUE = 1\n"},
        "helper.__init__", "", "VALUE = 2\n", 1, 2,
    ),
    "a package that comes before a module of a package": Edit(
        {"tasks": task("import box.helper", "box.helper.VALUE"), "box.helper": "VALUE = 1\n"},
        "box.helper.__init__", "", "VALUE = 2\n", 1, 2,
    ),
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = LocalStorage(tmp_path / "store")
    with closing(World(tmp_path / "world", store)) as world, decimal.localcontext():
        yield world


def fresh(world: World) -> object:
    """The value as a new process would make it or find it, with a context of its own."""
    decimal.setcontext(decimal.Context(prec=28))
    assert not world.run("tasks.T").summary["failures"]
    return world.load("tasks.T")


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_that_changes_a_value_rebuilds_it(world: World, name: str) -> None:
    edit = EDITS[name]
    for module, text in edit.modules.items():
        world.code(module, text)
    assert fresh(world) == edit.before

    if edit.old:
        world.edit(edit.module, edit.old, edit.new)
    else:
        world.modules.append(edit.module)
        path = world.folder / f"{edit.module.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(edit.new)

    assert fresh(world) == edit.after
