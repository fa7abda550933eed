"""The order of top-level statements: where it decides nothing, it may be any. (Where it does: test_stale.)"""

from __future__ import annotations

import pytest

from tests.project import Project

MODULES = {
    "one.py": "A = 1\n",
    "other.py": "A = 2\n",
    "rules.py": "RULES = []\ndef rule(f):\n    RULES.append(f)\n    return f\n",
    "settings.py": "import decimal\nNAME = 'x'\ndecimal.getcontext().prec = 3\n",
    "early.py": "import settings\nA = []\nA.append(1)\n",
    "box/__init__.py": "",
    "box/one.py": "A = 1\n",
    "box/other.py": "A = 2\n",
}

# The statements, and which two of them change places.
SWAPS = {
    "constants": (["A = len('a')", "B = len('b')", "def use(): return A, B"], 0, 1),
    "constants after an effect": (
        ["print()", "A = len('a')", "B = len('b')", "def use(): return A, B"], 1, 2,
    ),
    "functions": (["def f(): return g()", "def g(): return 1", "def use(): return f()"], 0, 1),
    "classes": (["class A: x = 1", "class B: x = 2", "def use(): return A, B"], 0, 1),
    "a function across an effect": (["T = {}", "T['x'] = 1", "def use(): return T"], 1, 2),
    "a literal across an effect": (["print()", "A = (1, 'a', -1)", "def use(): return A"], 0, 1),
    "a task across an effect": (
        [
            "import luigi\nfrom pipeline import Map, Window",
            "print()",
            "class use(Map):\n    window = Window(days=2)\n    k = luigi.IntParameter(default=1)",
        ], 1, 2,
    ),
    "a constant across a name that is bound again, and not used": (
        ["K = 1", "K = 2", "A = len('a')", "def use(): return A"], 1, 2,
    ),
    "imports": (["import one", "import other", "def use(): return one.A, other.A"], 0, 1),
    "imports of one package": (
        ["import box.one", "import box.other", "def use(): return box.one.A, box.other.A"], 0, 1,
    ),
    "an import of what does something, across one of what doesn't": (
        ["import settings", "import other", "def use(): return other.A"], 0, 1,
    ),
    "imports of which one imports the other": (
        ["import early", "import settings", "def use(): return early.A"], 0, 1,
    ),
    "a constant across an import": (["A = len('a')", "import other", "def use(): return A, other.A"], 0, 1),
    "a literal across what is registered": (
        ["from rules import RULES, rule", "A = 1", "@rule\ndef f(): return A", "def use(): return RULES"],
        1, 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SWAPS)
def test_statements_that_have_nothing_to_do_with_each_other_may_stand_in_any_order(
    project: Project, name: str
) -> None:
    for path, text in MODULES.items():
        project.write(path, text)
    statements, one, other = SWAPS[name]
    before = "\n".join(statements) + "\n"
    statements = [*statements]
    statements[one], statements[other] = statements[other], statements[one]
    project.write("user.py", before)

    assert not project.changes("user:use", "user.py", before, "\n".join(statements) + "\n")


@pytest.mark.parametrize(
    ("old", "new"), [("import NAME", "import NAME, OTHER"), ("import settings", "import other, settings")]
)
def test_another_name_from_a_module_that_does_something_is_no_news(
    project: Project, old: str, new: str
) -> None:
    project.write("settings.py", MODULES["settings.py"] + "OTHER = 'y'\n")
    project.write("early.py", MODULES["early.py"])
    project.write("other.py", MODULES["other.py"])
    project.write(
        "user.py", "import early\nimport settings\nfrom settings import NAME\ndef use(): return 1\n"
    )

    assert not project.changes("user:use", "user.py", old, new)


@pytest.mark.parametrize("text", ["NAME = 'y'", "def more(): return 1", "# a comment", "import os"])
def test_what_an_import_only_defines_is_no_part_of_who_imports_it(project: Project, text: str) -> None:
    project.write("settings.py", MODULES["settings.py"])
    project.write("user.py", "import settings\ndef use(): return 1\ndef other(): return settings.NAME\n")

    assert not project.changes("user:use", "settings.py", "NAME = 'x'", text)


def test_an_import_for_type_checkers_alone_does_nothing(project: Project) -> None:
    project.write("settings.py", MODULES["settings.py"])
    project.write(
        "user.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from settings import NAME\n"
        "def use(): return 1\ndef other(x: 'NAME'): return x\n",
    )

    assert list(project.parts("user:use")) == ["user:use"]


def test_a_part_has_one_digest_whoever_reaches_it(project: Project) -> None:
    """Else a process that keeps several would take one of them for edited."""
    project.write("settings.py", MODULES["settings.py"])
    project.write(
        "user.py",
        "K = 1\nA = K + 1\nimport settings\nK = 2\ndef one(): return A\ndef other(): return A, K\n",
    )

    one, other = project.parts("user:one"), project.parts("user:other")

    assert {name: other.get(name) for name in one if name != "user:one"}.items() <= one.items()
