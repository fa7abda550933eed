"""A small lab whose readings make trouble on a pool of processes."""

from __future__ import annotations

from pathlib import Path

from pipeline.store.local import LocalStorage
from tests.world import World

TASKS = """
    import multiprocessing
    import os
    import signal
    import subprocess
    from pathlib import Path

    from luigi.configuration import get_config
    from pipeline import Column, Contract, Map, Merge, Source, Tally, Window, Conserved
    from pipeline.errors import TaskError

    DEADLINE_S = 5

    class Odd(Exception):
        "Not to be made again of its text."
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    class Readings(Source):
        "What lands."
        files = "readings/{day}.csv"
        contract = Contract((Column("name", "string"), Column("value", "int64")), key=("name",))

    class Clean(Map):
        "Readings, some of which are trouble."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            [value] = readings["value"].to_pylist()
            if value == 13:
                raise Odd("unlucky", value)
            if value == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            if value == 40:
                raise TaskError("declared wrongly")
            return readings

    class Where(Map):
        "Who builds it, and what it is configured with."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            line = Path("/proc/self/cmdline").read_text().split(chr(0))
            secret = get_config().get("lab", "secret", "none")
            return {"process": os.getpid(), "line": line, "secret": secret, "folder": os.getcwd()}

    def stand(ready):
        ready.set()
        signal.pause()

    class Helped(Map):
        "How helpers end that are told to."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            fork = multiprocessing.get_context("fork")
            ready = fork.Event()
            forked = fork.Process(target=stand, args=[ready])
            forked.start()
            ready.wait()
            forked.terminate()
            forked.join(DEADLINE_S)
            with subprocess.Popen(["sleep", "600"]) as program:
                program.terminate()
                try:
                    program.wait(DEADLINE_S)
                finally:
                    program.kill()
            return [forked.exitcode, program.returncode]

    class Week(Merge):
        "What was read of late, to the row."
        window = Window(days=3, lag=0)

        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def summarize(self, table) -> Tally:
            return Tally.of(table, keys=["name"], sums=["value"])

        def finish(self, tally: Tally) -> dict:
            return {"total": tally.get(("a",))[1]}
"""
DATES = "2013-05-01-2013-05-06"
DAYS = [f"2013-05-0{day}" for day in range(1, 6)]
CLEAN, WHERE, WEEK = "lab.tasks.Clean", "lab.tasks.Where", "lab.tasks.Week"
HELPED = "lab.tasks.Helped"
IN_PROCESS = "building in the run's own process: "


def open_lab(folder: Path) -> World:
    """Five days, and a pool of two processes."""
    world = World(folder / "world", LocalStorage(folder / "store"))
    world.set("headrace", "processes", "2")
    world.code("lab.tasks", TASKS)
    for number, day in enumerate(DAYS, start=1):
        read(world, day, number)
    return world


def read(world: World, day: str, value: int) -> None:
    world.rows(f"readings/{day}.csv", [{"name": "a", "value": value}])
