"""Which names lead to the code of a class that is loaded."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from pipeline.code.roots import roots_of
from pipeline.errors import TaskError
from tests.project import Project
from tests.world import World

FACTORY = """
    class Base: pass
    def make(k):
        class Made(Base):
            class Inner: pass
            def build(self): return k
        return Made
    def doubled(cls):
        class Doubled(cls): pass
        return Doubled
"""
USER = """
    import abc
    from luigi import Task
    from pipeline import Map
    from factory import Base, doubled, make
    class Plain(Base):
        class Inner: pass
    T = make(2)
    @doubled
    class Decorated(Plain): pass
    class Pattern(Map, abc.ABC): pass
    _1 = make(3)
    FEW = [make(4)]
"""


@pytest.fixture
def user(project: Project) -> ModuleType:
    project.write("factory.py", FACTORY)
    project.write("user.py", USER)
    project.write("other.py", "from user import T\n")
    importlib.import_module("other")
    return importlib.import_module("user")


@pytest.mark.parametrize(
    ("name", "roots"),
    [
        ("Plain", ["user:Plain", "factory:Base"]),
        ("Plain.Inner", ["user:Plain.Inner"]),
        ("T", ["other:T", "user:T", "factory:Base"]),
        ("Decorated", ["user:Decorated", "user:Plain", "factory:Base"]),
        ("Pattern", ["user:Pattern"]),
        ("_1", ["user:_1", "factory:Base"]),
    ],
)
def test_a_class_is_found_by_its_names_and_its_bases(user: ModuleType, name: str, roots: list[str]) -> None:
    cls: object = user
    for part in name.split("."):
        cls = getattr(cls, part)
    assert isinstance(cls, type)

    assert list(roots_of(cls)) == roots


def test_a_class_that_a_function_made_and_no_module_names_is_refused(user: ModuleType) -> None:
    with pytest.raises(
        TaskError, match=r"make\.<locals>\.Made is made in a function, .* or bind it to a name"
    ):
        roots_of(user.FEW[0])


def test_a_class_whose_module_was_loaded_again_is_found_by_its_address(user: ModuleType) -> None:
    before = user.Plain
    importlib.reload(user)

    assert roots_of(before) == ("user:Plain", "factory:Base")


DECORATED = """
    from pipeline import Task
    from counts import Counts
    from factory import doubled

    @doubled
    class Counted(Task):
        def build(self) -> Counts: return Counts(3)

    class T(Task):
        def requires(self): return {"counts": Counted()}
        def build(self, counts): return counts.total()
"""
COUNTS = """
    from pipeline import Aggregate
    class Counts(Aggregate):
        def __init__(self, n=0): self.n = n
        @classmethod
        def empty(cls): return cls()
        def merge(self, other): return Counts(self.n + other.n)
        def state(self): return self.n
        @classmethod
        def from_state(cls, state): return cls(state)
        def total(self): return self.n
"""


def test_what_a_decorated_task_is_declared_to_make_is_part_of_who_reads_it(world: World) -> None:
    world.code("factory", FACTORY)
    world.code("counts", COUNTS)
    world.code("tasks", DECORATED)
    world.run("tasks.T")
    assert world.load("tasks.T") == 3

    world.edit("counts", "def total(self): return self.n", "def total(self): return 10 * self.n")
    world.run("tasks.T")

    assert world.load("tasks.T") == 30
