"""What a task declares is looked for once in each class, and is what Luigi would find."""

from __future__ import annotations

from typing import Any

import luigi
import pytest

from pipeline.build.parameter import DatesParameter
from pipeline.build.task import Dated, Stage


class WithParameters(Dated):
    """A task with parameters of its own, and those of its base."""

    first = luigi.IntParameter(default=1)
    second = luigi.Parameter(default="")


def test_they_are_those_that_luigi_finds() -> None:
    assert WithParameters.get_params() == luigi.Task.get_params.__func__(WithParameters)  # type: ignore[attr-defined]
    assert [name for name, _ in WithParameters.get_params()] == ["dates", "first", "second"]


def test_a_class_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[type] = []
    whole = luigi.Task.get_params.__func__  # type: ignore[attr-defined]

    def look(cls: type) -> Any:
        looked.append(cls)
        return whole(cls)

    monkeypatch.setattr(luigi.Task, "get_params", classmethod(look))

    class Asked(WithParameters):
        """Nobody has asked for it yet."""

    Asked(dates="2013-05")  # whereupon Luigi adds to the class what it notes of it
    Asked(dates="2013-05")
    looked.clear()
    for _ in range(3):
        Asked(dates="2013-06")

    assert looked == []


def test_what_is_added_to_a_class_before_its_first_task_is_found() -> None:
    class Extended(Stage):
        """As `luigi.util.inherits` extends a class."""

    Extended.dates = DatesParameter()  # type: ignore[attr-defined]

    assert [name for name, _ in Extended.get_params()] == ["dates"]


def test_what_a_notebook_changes_of_a_class_is_found() -> None:
    class Changed(WithParameters):
        """As IPython's autoreload changes a class, in its place."""

    assert Changed.get_params()[1][1]._default == 1
    Changed.first = luigi.IntParameter(default=2)
    Changed.third = luigi.Parameter(default="")  # type: ignore[attr-defined]

    found = Changed.get_params()

    assert found == luigi.Task.get_params.__func__(Changed)  # type: ignore[attr-defined]
    assert sorted(name for name, _ in found) == ["dates", "first", "second", "third"]


def test_what_a_caller_does_to_the_list_is_its_own_affair() -> None:
    WithParameters.get_params().clear()

    assert len(WithParameters.get_params()) == 3
