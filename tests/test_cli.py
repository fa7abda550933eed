"""Which project a command is about: the one where the user stands, and no other."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.mill import ROOT, Project


@pytest.fixture
def own(tmp_path: Path) -> Project:
    """A folder of somebody's own, with the worked pipeline's checkout installed beside it."""
    (tmp_path / "luigi.cfg").touch()
    return Project(tmp_path)


def write(own: Project, module: str) -> None:
    text = '''
        """A task of one's own."""
        from pipeline import Task

        class Mine(Task):
            """A number."""
            def build(self) -> int:
                return 1
    '''
    (own.folder / module).write_text(textwrap.dedent(text), encoding="utf-8")


def test_a_folder_of_ones_own_is_not_taken_for_the_worked_pipeline(own: Project) -> None:
    assert own.run("headrace", "log") == f"no run yet in {own.folder / '.headrace'}\n"
    said = own.run("headrace", "plan", "TrainModel", expect=40)
    assert said == (
        "headrace plan: No task TrainModel: no module with tasks is loaded "
        "(of another module: say --module, or set [headrace] module)\n"
    )


def test_the_checkouts_own_tasks_are_found_everywhere_below_it(own: Project) -> None:
    own.cwd = ROOT / "docs"
    (own.folder / "luigi.cfg").write_text(f"[headrace]\nstore = {own.store}\n", encoding="utf-8")

    assert own.run("headrace", "log") == f"no run yet in {own.store}\n"
    assert "Did you mean TrainModel" in own.run("headrace", "plan", "TrainModell", expect=40)


@pytest.mark.parametrize("module", ["tasks.py", "tasks/__init__.py"])
def test_ones_own_tasks_are_found_beside_one(own: Project, module: str) -> None:
    (own.folder / "tasks").mkdir()
    write(own, module)
    if module == "tasks.py":
        (own.folder / "tasks").rmdir()

    assert "would build 1" in own.run("headrace", "plan", "Mine")


def test_a_configured_module_that_is_not_there_is_named(own: Project) -> None:
    (own.folder / "luigi.cfg").write_text("[headrace]\nmodule = mine.tasks\n", encoding="utf-8")

    assert "there is no module 'mine.tasks' on the path" in own.run("headrace", "log", expect=40)


def test_a_module_that_lacks_another_says_which(own: Project) -> None:
    (own.folder / "mine.py").write_text("import nothing_of_that_name\n", encoding="utf-8")

    said = own.run("headrace", "plan", "--module", "mine", "Mine", expect=1)

    assert "No module named 'nothing_of_that_name'" in said


@pytest.mark.parametrize("command", [("headrace", "plan"), ("python", "-m", "luigi")])
def test_only_the_modules_own_tasks_are_proposed(own: Project, command: tuple[str, ...]) -> None:
    """Luigi's own, such as `core` and `worker`, and the framework's are no task that anybody asks for."""
    write(own, "mine.py")

    far = own.run(*command, "--module", "mine", "Nope", expect=40)
    near = own.run(*command, "--module", "mine", "Mien", expect=40)

    assert "No task Nope. There are Mine" in far
    assert "core" not in far
    assert "MissingPartition" not in far
    assert "No task Mien. Did you mean Mine?" in near


def test_a_configuration_that_does_not_read_is_told_in_words(own: Project) -> None:
    (own.folder / "luigi.cfg").write_text("store = here\n", encoding="utf-8")

    said = own.run("headrace", "log", expect=40)

    assert said.startswith("headrace log: Luigi's configuration does not read: File contains no section")
    assert len(said.splitlines()) == 1
