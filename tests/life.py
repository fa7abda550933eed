"""The life of one pipeline: what it reads, what it runs on, and how it is run, as a history goes on."""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from types import ModuleType
from typing import Any

from luigi.task_register import Register

import pipeline
from pipeline.build import session as sessions
from pipeline.build.invoke import RunResult
from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.commands import fsck
from pipeline.errors import RecordDamaged, StoreDamaged, StoreUnwritable, ViewIncomplete
from pipeline.release.garbage import Rules, collections
from pipeline.store.collection import Patience
from pipeline.store.record import parse_record
from pipeline.store.repository import blob_name
from pipeline.store.storage import MemoryStorage, Storage
from pipeline.values.digest import digest_bytes
from tests.farm import DAYS, HOURS, MODEL, MODULES, NO_HOURS, RUSH
from tests.faults import Disturbed, Killed
from tests.world import World

LANDED_AT = 1_356_998_400
"""When all files seem to have been written: a correction leaves their size and time as they were."""
ASKS = [
    (MODEL, "2012-12-30-2013-01-03"),
    (MODEL, "2012-12-31-2013-01-02"),
    (MODEL, "2012-12-29-2013-01-05"),
    (RUSH, "2012-12-31T22-2013-01-01T03"),
]
FIRST = {
    **{f"sales/{day}.csv": f"shop,amount\na,{n}\nb,5\n" for n, day in enumerate(DAYS)},
    **{f"clicks/{hour}.csv": f"page,visits\np,{n}\n" for n, hour in enumerate(HOURS)},
    "shops/2012-12-29.csv": "shop,town\na,x\n",
}


class Life:
    """A pipeline, what it reads and what it runs on, as a history has left them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.landed: dict[str, str] = {}
        self.edits: set[str] = set()
        self.options: dict[str, str] = {}
        self.asked = ASKS[0]
        self.scale = 1
        self.happened: set[str] = set()
        """What a reason may tell of: the names of what was edited, set, landed, and lost."""
        self.is_loaded = False
        self._made: Stage | None = None
        self.steps: Counter[str] = Counter()
        """How often each has been taken, in all histories; and how often damage was healed."""
        self.begin(MemoryStorage())

    def begin(self, storage: Storage) -> None:
        """Lay everything out as it was in the beginning."""
        self.world.storage = storage
        self.world.clock.now = self.world.clock.now.replace(year=2013, month=1, day=3, hour=12, minute=0)
        for name in {*self.landed, *FIRST}:
            self.put_down(name, FIRST.get(name))
        for name, text in MODULES.items():
            if self.edits or not self.is_loaded:
                self.world.code(name, text)
                self.is_loaded = False
        self.edits, self.happened, self.scale, self.asked = set(), set(), 1, ASKS[0]
        for option, text in {"Clean floor": "1", "Sales gaps": "", "Clicks gaps": NO_HOURS}.items():
            self.set(option, text)

    def inputs(self) -> tuple[Any, ...]:
        """All that a clean run depends on."""
        now = self.world.clock.now
        return (
            frozenset(self.landed.items()), frozenset(self.edits), frozenset(self.options.items()),
            self.asked, self.scale, now.date(),
        )  # fmt: skip

    def put_down(self, name: str, text: str | None) -> None:
        """Land a file by the time and size of the one before, or withdraw it."""
        if self.landed.get(name) == text:
            return
        path = self.world.landing / name
        if text is None:
            path.unlink()
            del self.landed[name]
            return
        self.world.write(name, text)
        os.utime(path, (LANDED_AT, LANDED_AT))
        self.landed[name] = text

    def set(self, option: str, text: str) -> None:
        """Configure a task."""
        self.options[option] = text
        task, _, name = option.partition(" ")
        self.world.set(task, name, text)

    # Running.

    def task(self) -> Stage:
        """What is asked for, as the process makes it that ran last, or that is about to."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _load(self, module: str) -> ModuleType:
        """A module of the code as it now stands."""
        if not self.is_loaded:
            self.world.forget()
            self.is_loaded = True
        return importlib.import_module(module)

    def _make(self) -> Stage:
        """What is asked for, of the code as it now stands, as a new process makes it."""
        address, dates = self.asked
        module, _, name = address.rpartition(".")
        found = self._load(module)
        Register.clear_instance_cache()
        parameters = {"scale": self.scale} if address == MODEL else {}
        task: Stage = getattr(found, name)(dates=dates, **parameters)
        return task

    def run(self, storage: Storage | None = None) -> RunResult:
        """Run what is asked for, on the store; what was built and what failed has happened."""
        result = self.run_in(storage or self.world.storage)
        for stage in result.stages.values():
            self.happened |= {f"built {_place(build)}" for build in stage["builds"]}
            self.happened |= {f"failed {_place(told)}" for told in stage["failures"]}
        return result

    def run_in(self, storage: Storage) -> RunResult:
        """Run what is asked for, as a new process would."""
        self._made = None
        self.world.clock.advance(minutes=1)
        sessions.use(Session(storage, self.world.clock, self.world.wait))
        return pipeline.run(self.task())

    def disturbed(self, at: int, happen: Callable[[], None]) -> None:
        """Run, and let something happen at the n-th operation of the store."""
        try:
            self.run(Disturbed(self.world.storage, at, happen))
        except (Killed, KeyboardInterrupt, OSError, StoreUnwritable):
            pass  # the process is over

    def collect(self, keep_days: int, grace_days: int) -> None:
        """Collect the store's garbage; where damage lies in it, that is refused."""
        storage = self.world.storage
        before = set(self.names(""))
        patience = Patience(timedelta(days=grace_days), timedelta(days=grace_days))
        rules = Rules(keep_days, 2)
        for collection in collections([storage], storage, rules, patience, self.world.clock):
            with suppress(ViewIncomplete):
                collection.execute()
        self.happened |= {f"lost {name}" for name in before - set(self.names(""))}

    def heal(self, *words: str) -> None:
        """Have `headrace fsck --heal` look for damage, in a process of its own.

        AssertionError where it moves what is whole, or of all that it reads leaves what is damaged.
        """
        ours, before = sessions.current(), self._held()
        self._load("farm.tasks")
        sessions.use(Session(self.world.storage, self.world.clock, self.world.wait))
        try:
            for _ in fsck.main(["--heal", *words], json=False):
                pass
        except StoreDamaged:
            self.steps["heal, damage found"] += 1
        finally:
            sessions.use(ours)
        after = self._held()
        gone = before.keys() - after.keys()
        moved = {name for name in gone if name.startswith(("blobs/", "records/"))}
        assert moved <= damaged(before), "moved what is whole"
        assert "--full" not in words or not damaged(after), "left what is damaged"
        self.steps["heal, damage moved"] += bool(moved)
        self.happened |= {f"lost {name}" for name in gone}

    def _held(self) -> dict[str, bytes]:
        return {name: self.world.storage.read(name) for name in self.names("")}

    def names(self, folder: str) -> list[str]:
        """The names that lie in a folder of the store."""
        return list(self.world.storage.list(folder))

    def land(self, name: str, text: str | None) -> None:
        """Land a file, or withdraw it, in the course of a history."""
        self.happened.add(f"file {name}")
        self.put_down(name, text)

    def lose(self, name: str) -> None:
        """Delete a name of the store."""
        self.happened.add(f"lost {name}")
        self.world.storage.delete([name])


def damaged(held: Mapping[str, bytes]) -> set[str]:
    """Blobs that are not what their names say, and all attempts of actions of which one does not read."""
    blobs = {n for n, data in held.items() if n.startswith("blobs/") and blob_name(digest_bytes(data)) != n}
    records = [name for name in held if name.startswith("records/")]
    broken = {name.rpartition("/")[0] for name in records if not _reads(held, name)}
    return blobs | {name for name in records if name.rpartition("/")[0] in broken}


def _reads(held: Mapping[str, bytes], name: str) -> bool:
    """Whether it is a record, and the one before it is there."""
    folder, _, attempt = name.rpartition("/")
    try:
        parse_record(name, held[name])
    except RecordDamaged:
        return False
    return attempt == "1" or f"{folder}/{int(attempt) - 1}" in held


def _place(told: dict[str, Any]) -> str:
    return f"{told['task']} {told['step']} {told['partition']}"
