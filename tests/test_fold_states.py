"""Where checkpoints lie leaves no trace in what is learnt, whatever a state is."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np  # noqa: TID253
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import SGDClassifier, SGDRegressor  # noqa: TID253
from sklearn.naive_bayes import MultinomialNB  # noqa: TID253

from pipeline.store.repository import Repository
from pipeline.store.storage import MemoryStorage
from pipeline.values.codec import decode, encode
from pipeline.values.digest import Digest
from tests.world import World

LEARNERS = {
    "classifier": lambda: SGDClassifier(loss="log_loss", random_state=3),
    "averaged": lambda: SGDClassifier(average=5, random_state=3),
    "regressor": lambda: SGDRegressor(random_state=3),
    "bayes": MultinomialNB,
}


def learnt(model: Any, day: int) -> Any:
    """A model after one more day."""
    draw = np.random.Generator(np.random.PCG64(day))
    rows = draw.integers(0, 9, (20, 3)).astype(float)
    told = {} if isinstance(model, SGDRegressor) else {"classes": [0, 1]}
    return model.partial_fit(rows, (rows @ [2, 1, -3] > 0).astype(int), **told)


@pytest.mark.parametrize("learner", LEARNERS)
@settings(max_examples=15, deadline=None)
@given(kept=st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_model_that_rested_learns_as_one_that_did_not(learner: str, kept: list[bool]) -> None:
    rested, awake = LEARNERS[learner](), LEARNERS[learner]()

    for day, rests in enumerate(kept):
        rested, awake = learnt(rested, day), learnt(awake, day)
        if rests:
            at_rest = encode(rested)
            rested = decode(at_rest.codec, at_rest.data)

    assert encode(rested).digest == encode(awake).digest


TASKS = """
    from pipeline import Fold, Map, Tally
    from shop import steps

    class Days(Map):
        "A day is a number."
        def build(self):
            return self.dates.start.toordinal() % 97

    class OfDays(Fold):
        def requires(self):
            return {"day": Days(dates=self.dates)}

    class Model(OfDays):
        "State and value are a model."
        def start(self):
            from sklearn.linear_model import SGDClassifier
            return SGDClassifier(loss="log_loss", random_state=3)

        def step(self, model, day):
            return model.partial_fit([[day, 1.5], [-day, 0.5]], [0, 1], classes=[0, 1])

    class Added(OfDays):
        "State and value are an aggregate."
        def start(self):
            return Tally.empty()

        def step(self, tally, day) -> Tally:
            import pyarrow as pa
            return tally.merge(Tally.of(pa.table({"k": [day % 3], "n": [day]}), keys=["k"], sums=["n"]))

    class Rows(OfDays):
        "The state comes out as a frame, and goes in as a table."
        def start(self):
            import pyarrow as pa
            return pa.table({"day": pa.array([], "int64"), "kind": pa.array([], "string")})

        def step(self, rows, day):
            import pandas as pd
            assert type(rows).__name__ == "Table"
            new = pd.DataFrame({"day": [day], "kind": ["odd" if day % 2 else "even"]})
            return pd.concat([rows.to_pandas(), new], ignore_index=True)

    class Plain(OfDays):
        "JSON keeps a list where there was a tuple; and what is shared is changed in place."
        SHARED = {"last": ()}

        def start(self):
            return self.SHARED

        def step(self, state, day):
            kind = type(state["last"]).__name__
            state["last"] = (*state["last"][-3:], f"{kind} {day}")
            return state

    class Hours(Map):
        unit = "hour"
        def build(self):
            return self.dates.start.hour

    class Hourly(Fold):
        def requires(self):
            return {"hour": Hours(dates=self.dates)}

        def start(self):
            return [str(self.dates.start)]

        def step(self, state, hour):
            steps.TAKEN.append(hour)
            return [*state[-50:], hour]
"""
STOPS = ("2013-02-03", "2013-02-27", "2013-03-02", "2013-03-30", "2013-04-01", "2013-04-02")


@pytest.fixture
def states(world: World) -> World:
    world.storage = MemoryStorage()
    world.code("shop.steps", "TAKEN = []")
    world.code("shop.tasks", TASKS)
    return world


def kept(world: World, task: str) -> dict[tuple[str, str], Digest]:
    found = Repository(world.storage).records(task)
    return {
        (record.recipe["step"], record.key): Digest(record.outputs["value"]["digest"]) for record in found
    }


@pytest.mark.parametrize("task", ["Model", "Added", "Rows", "Plain"])
def test_a_fold_run_every_now_and_then_ends_as_one_that_ran_once(states: World, task: str) -> None:
    for stop in STOPS:
        states.built(f"shop.tasks.{task}", dates=f"2013-01-30-{stop}")
    now_and_then = kept(states, task)
    states.storage = MemoryStorage()

    built = states.built(f"shop.tasks.{task}", dates=f"2013-01-30-{STOPS[-1]}")

    once = kept(states, task)
    assert len(once) == 3 + 1 + 1 == len([label for label in built if label.startswith(task)])
    assert once.items() <= now_and_then.items()


def test_an_aggregate_as_a_state_is_declared_by_the_step(states: World) -> None:
    states.edit("shop.tasks", "def step(self, tally, day) -> Tally:", "def step(self, tally, day):")

    states.run("shop.tasks.Added", dates="2013-05-01")

    assert kept(states, "Added") == {}


def taken() -> list[int]:
    hours: list[int] = sys.modules["shop.steps"].TAKEN
    return hours


def test_of_hours_the_open_day_is_single_and_a_closed_one_is_one_state(states: World) -> None:
    first = states.built("shop.tasks.Hourly", dates="2013-04-30-2013-05-03")
    second = states.built("shop.tasks.Hourly", dates="2013-04-30-2013-05-04")

    hours = [f"Hourly fold 2013-05-02T{n:02}" for n in range(24)]
    assert [label for label in first if "Hours" not in label] == [
        "Hourly fold 2013-04", "Hourly fold 2013-05-01", *hours, "Hourly finish all",
    ]  # fmt: skip
    assert [label for label in second if "Hours" not in label] == [
        "Hourly fold 2013-05-02", *[hour.replace("-02T", "-03T") for hour in hours], "Hourly finish all",
    ]  # fmt: skip
    assert taken() == [*range(24)]
    states.built("shop.tasks.Hourly", dates="2013-04-30-2013-06-02")
    assert len(taken()) == 24 * (28 + 1)
