"""The framework's own code in a key: by numbers, and by what each of its modules stands on."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import re
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

import pipeline
from pipeline.code import syntax
from pipeline.code.distributions import Distributions
from pipeline.code.fingerprint import difference, identify
from pipeline.code.module import Module
from pipeline.code.names import WHOLE, Names, Origin, Site
from pipeline.code.reach import Reach
from pipeline.code.source import Sources
from pipeline.release import task as release
from tests.project import Project

Change = Callable[[str], str]


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


def test_a_framework_module_brings_what_it_stands_on_and_not_what_it_imports(
    project: Project, framework: Path
) -> None:
    (framework / "stand_in.py").write_text(
        'import scipy\nSEMANTICS = 3\nSTANDS_ON = ("pipeline.below", "skops")\nclass Pattern: pass\n'
    )
    (framework / "below.py").write_text('SEMANTICS = 7\nSTANDS_ON = ("pipeline.stand_in", "pyarrow")\n')
    project.write("user.py", "from pipeline.stand_in import Pattern\nclass Use(Pattern): pass\n")

    code = identify(["user:Use"])

    assert code.parts["pipeline.below"] == "semantics 7"
    assert {"pyarrow", "skops", "prettytable"} <= set(code.distributions)  # the last is what skops needs
    assert "matplotlib" not in code.distributions
    assert os.fspath(framework / "below.py") in code.files


def test_a_class_of_the_framework_may_stand_on_more_than_its_neighbours(
    project: Project, framework: Path
) -> None:
    (framework / "stand_in.py").write_text(
        'class Plain: pass\nclass Pattern:\n    STANDS_ON = ("pipeline.below",)\n'
    )
    (framework / "below.py").write_text("SEMANTICS = 7\n")
    project.write(
        "user.py",
        """
        from pipeline import stand_in

        class One(stand_in.Plain): pass
        class Other(stand_in.Pattern): pass
        def any(name): return getattr(stand_in, name)
        """,
    )

    assert "pipeline.below" not in project.parts("user:One")
    assert "pipeline.below" in project.parts("user:Other")
    assert "pipeline.below" in project.parts("user:any")


# The framework as it is.

LANDED = {"build.sources", "values.admission", "values.intake", "values.partition", "values.table"}
BUILT = {
    "build.patterns", "build.step", "values.admission", "values.model", "values.partition",
    "values.relational", "values.table",
}  # fmt: skip
PATTERNS = {
    "Source": LANDED,
    "Snapshot": LANDED,
    "Map": BUILT,
    "Task": BUILT,
    "Merge": BUILT | {"build.merging", "values.aggregate"},
    "Fold": BUILT | {"build.folding"},
    "Release": BUILT
    | {"model.problem", "model.scores", "release.served", "release.task", "values.aggregate", "values.frame"},
    "Production": {"release.production", "values.partition"},
}
"""The modules whose numbers enter the keys of a pattern's tasks."""


def rewrite(module: str, folder: Path, monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """Have the source of a framework module read as it would be after a change; what runs stays."""
    loaded = importlib.import_module(module)
    assert loaded.__file__
    before = Path(loaded.__file__).read_text()
    after = change(before)
    assert after != before
    copy = folder / f"{module}.py"
    copy.write_text(after)
    monkeypatch.setattr(loaded, "__file__", os.fspath(copy))


def raised(source: str) -> str:
    return re.sub(r"(?m)^SEMANTICS = (\d+)$", r"SEMANTICS = \g<1>0", source)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_raising_a_number_that_a_pattern_stands_on_changes_the_code_of_its_tasks(
    project: Project, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    project.write("user.py", f"from pipeline import {pattern}\nclass Use({pattern}): pass\n")
    before = project.parts("user:Use")
    numbers = sorted(f"pipeline.{module}" for module in PATTERNS[pattern])
    assert sorted(before) == [*numbers, "user:Use"]

    for module in numbers:
        rewrite(module, project.root, monkeypatch, raised)

    assert difference(before, project.parts("user:Use")) == [
        f"{module} changed ({before[module]} -> {before[module]}0)" for module in numbers
    ]


@pytest.mark.parametrize("pattern", ["Source", "Snapshot", "Map", "Merge", "Fold", "Task"])
def test_the_library_that_reads_tables_is_in_the_key_of_whoever_reads_one(
    project: Project, pattern: str
) -> None:
    project.write("user.py", f"from pipeline import {pattern}\nclass Use({pattern}): pass\n")

    assert identify(["user:Use"]).distributions["pyarrow"] == version("pyarrow")


def test_the_scheduler_is_no_package_of_the_value(project: Project) -> None:
    project.write(
        "user.py",
        """
        import luigi
        from luigi.util import inherits
        from pipeline import Production

        class Use(Production):
            scale = luigi.FloatParameter(default=1.0)
        """,
    )

    assert identify(["user:Use"]).distributions == {}


@pytest.mark.parametrize("task", ["FitModel", "DailyScores", "Evaluate"])
def test_the_worked_pipeline_does_not_fit_again_because_luigi_is_another(task: str) -> None:
    versions = identify([f"tasks.training:{task}"]).distributions

    assert "scikit-learn" in versions
    assert not {"luigi", "tornado", "docutils"} & set(versions)


def test_what_a_bundle_says_of_its_environment_is_in_its_key() -> None:
    said = Distributions().versions(release.PACKAGES)

    assert said.items() <= identify(["pipeline.release.task:Release"]).distributions.items()


NUMBERED = sorted(
    name
    for _, name, _ in pkgutil.walk_packages(pipeline.__path__, "pipeline.")
    if not name.endswith("__main__") and "SEMANTICS" in Sources().module(name).definitions
)
LEFT_OUT = {
    ("pipeline.build.step", "pipeline.values.aggregate"): "it asks only whether a value is one",
    ("pipeline.values.admission", "pipeline.values.intake"): "it is handed what a source has read",
    ("pipeline.values.model", "skops"): "it is how a model rests, and its state is its identity",
    ("pipeline.values.model", "numpy"): "whoever fits a model imports what it is made of",
    ("pipeline.values.model", "scipy"): "likewise",
}
"""What a module with a number imports and does not stand on, and why."""


def undeclared(module: str) -> set[str]:
    """The numbered modules and the packages that a module imports, without standing on them."""
    names = Names(Sources(), {"pipeline"})
    reach = Reach(names)
    reach.walk([Site(module, WHOLE)])
    return imported(names.sources.module(module)) - set(reach.parts) - reach.packages - {"luigi"}


def imported(module: Module) -> set[str]:
    """The numbered modules and the packages that a module imports, wherever in it, for more than types."""
    assert module.path
    body = ast.parse(Path(module.path).read_text()).body
    run = [s for s in body if not (isinstance(s, ast.If) and "TYPE_CHECKING" in ast.unparse(s.test))]
    bindings = [b for s in syntax.uses(run).imports for _, b in module.bindings(s)]
    ours = {name for b in bindings for name in (b.runs, f"{b.module}.{b.attribute}") if name in NUMBERED}
    tops = {binding.runs.partition(".")[0] for binding in bindings}
    return ours | (tops - {"pipeline"} - sys.stdlib_module_names)


@pytest.mark.parametrize("module", NUMBERED)
def test_a_module_with_a_number_stands_on_what_it_imports_or_says_why_not(module: str) -> None:
    assert undeclared(module) == {name for who, name in LEFT_OUT if who == module}


@pytest.mark.parametrize(
    ("module", "name"),
    [("pipeline.values.moments", "pipeline.values.table"), ("pipeline.values.intake", "pyarrow")],
)
def test_what_a_module_forgets_to_say_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    rewrite(module, tmp_path, monkeypatch, lambda source: source.replace(f'"{name}",', ""))

    assert name in undeclared(module)


@pytest.mark.parametrize("module", NUMBERED)
def test_all_that_a_module_says_it_stands_on_is_there(module: str) -> None:
    names = Names(Sources(), {"pipeline"})
    named = getattr(importlib.import_module(module), "STANDS_ON", ())

    assert {names.origin(name) for name in named} <= {Origin.FRAMEWORK, Origin.INSTALLED}
    assert {name for name in named if names.origin(name) is Origin.FRAMEWORK} <= set(NUMBERED)
