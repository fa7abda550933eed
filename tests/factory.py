"""A small pipeline that ends in a release: which of a day's parts will break."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np  # noqa: TID253

from pipeline.release import configured
from pipeline.release.aliases import Generation
from pipeline.release.registry import Registry
from pipeline.store.local import LocalStorage
from tests.world import World

TASKS = """
    import luigi
    from pipeline import (
        Column, Contract, DatesParameter, Map, Production, Release, Source, Task,
    )
    from factory import learning
    from factory.learning import PROBLEM, SERVED

    class Parts(Source):
        "A day's parts, and which of them broke."
        files = "parts/{day}.csv"
        contract = Contract(
            (
                Column("date", "date"), Column("part", "int64"), Column("load", "float64", low=-9, high=9),
                Column("heat", "float64", low=-9, high=9), Column("broke", "bool"),
            ),
            key=("part",), day="date",
        )

    class Learn(Task):
        "A model of an interval."
        dates = DatesParameter()

        def requires(self):
            return {"parts": Parts(dates=self.dates)}

        def build(self, parts):
            return learning.fit(parts.table())

    class Judge(Task):
        "How good it is on another."
        train, dates = DatesParameter(), DatesParameter()

        def requires(self):
            return {"model": Learn(dates=self.train), "parts": Parts(dates=self.dates)}

        def build(self, model, parts):
            return learning.judge(model, parts.table())

    class Ship(Release):
        "Says which parts will break."
        alias, problem, serves = "breakage", PROBLEM, SERVED
        dates = DatesParameter(default="2013-05")

        def requires(self):
            train, dates = self.dates.split(14)
            return {
                "model": Learn(dates=train), "evaluation": Judge(train=train, dates=dates),
                "holdout": Parts(dates=dates),
            }

    class Warnings(Map):
        "The parts of a day that will break, by the model that serves."

        def requires(self):
            return {"parts": Parts(dates=self.dates), "production": Production(alias="breakage")}

        def build(self, parts, production):
            return learning.warn(production, parts)
"""

LEARNING = """
    from pipeline import Column, Contract, Problem

    PROBLEM = Problem("broke")
    SERVED = Contract((Column("load", "float64", low=-9, high=9), Column("heat", "float64", low=-9, high=9)))
    PENALTY = 0.001

    def fit(table):
        from pipeline.values.frame import as_frame
        from sklearn.linear_model import LogisticRegression
        model = LogisticRegression(C=PENALTY)
        return model.fit(as_frame(table, SERVED), table["broke"].to_numpy(zero_copy_only=False))

    def judge(model, table):
        from pipeline.model.evaluation import evaluate
        from pipeline.release.served import Served
        from pipeline.values.model import digest_model
        days = PROBLEM.scores_by_day(Served(model, SERVED, "binary").predict(table), table)
        return {**evaluate(days, {}), "model": digest_model(model)}

    def warn(bundle, table):
        from pipeline.release import served
        import pyarrow as pa
        return pa.table({"part": table["part"], "chance": served.load(bundle).predict(table)})
"""

ALIAS = "breakage"
SHIP, WARNINGS = "factory.tasks.Ship", "factory.tasks.Warnings"
DAYS = [f"2013-05-{day:02}" for day in range(1, 32)]


def land(world: World, day: str, swapped: bool = False) -> None:
    """Forty parts of a day; with `swapped` labels, those that held are told to have broken."""
    draw = np.random.Generator(np.random.PCG64(int(day[-2:])))
    load, heat, luck = draw.normal(0, 1, 40), draw.normal(0, 1, 40), draw.random(40)
    broke = (luck < 1 / (1 + np.exp(-(2 * load + heat)))) != swapped
    lines = [
        f"{day},{part},{load[part]:.4f},{heat[part]:.4f},{str(broke[part]).lower()}" for part in range(40)
    ]
    world.write(f"parts/{day}.csv", "date,part,load,heat,broke\n" + "\n".join(lines) + "\n")


def open_factory(folder: Path) -> World:
    """A month of parts, and the code; nothing is built yet."""
    world = World(folder / "world", LocalStorage(folder / "store"))
    world.code("factory.tasks", TASKS)
    world.code("factory.learning", LEARNING)
    for day in DAYS:
        land(world, day)
    return world


@contextmanager
def copied(released: Path, folder: Path) -> Iterator[World]:
    """The same factory in another folder, to be changed there; it leaves no trace in this process."""
    shutil.copytree(released, folder)
    with closing(World(folder / "world", LocalStorage(folder / "store"))) as world:
        world.modules += ["factory.tasks", "factory.learning"]
        yield world


def registry(world: World) -> Registry:
    """Its online store, as a new process finds it."""
    world.session()
    return configured.registry()


def history(world: World) -> list[Generation]:
    """What served there, oldest first."""
    return registry(world).history(ALIAS)


def ship(folder: Path) -> None:
    """A factory, and its first model, which serves."""
    with closing(open_factory(folder)) as world:
        assert "Ship all" in world.built(SHIP)


def ship_better(shipped: Path, folder: Path, promotion: str) -> None:
    """The same factory with a better model besides, promoted or not as the policy says."""
    with copied(shipped, folder) as world:
        world.set("headrace", "promotion", promotion)
        improve(world)
        assert "Ship all" in world.built(SHIP)


def improve(world: World) -> None:
    """A better model: the penalty lets it learn."""
    world.edit("factory.learning", "PENALTY = 0.001", "PENALTY = 1.0")


def spoil(world: World) -> None:
    """Worse data: half a month of labels is swapped."""
    for day in DAYS[:17]:
        land(world, day, swapped=True)
