"""A small fake world: a landing, a pipeline's source code, a clock and a store in memory.

A test writes days, edits code, builds, and asserts which actions ran.
"""

from __future__ import annotations

import datetime
import importlib
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import luigi
import pytest
from luigi.task_register import Register

import pipeline
from pipeline import cli
from pipeline.build import session as sessions
from pipeline.build.invoke import RunResult
from pipeline.build.session import Session
from pipeline.store.local import LocalStorage
from pipeline.store.storage import MemoryStorage, Storage


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: str = "2013-06-01T00:00:00+00:00") -> None:
        self.now = datetime.datetime.fromisoformat(now)

    def __call__(self) -> datetime.datetime:
        """The instant that it was set to."""
        return self.now

    def advance(self, **delta: float) -> None:
        """Let time pass."""
        self.now += datetime.timedelta(**delta)


Ask = Callable[..., str]


def asking(world: World, module: str, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Types a command about a module's tasks as a new process; what it prints, or says where it fails."""

    def ask(*words: str, expect: int = 0) -> str:
        world.forget()
        world.session()
        capsys.readouterr()
        code = cli.main([words[0], "--module", module, *words[1:]])
        said = capsys.readouterr()
        assert code == expect, said.err
        return said.out if code == 0 else said.err

    return ask


class World:
    """A pipeline in a folder of its own, and what it runs on: what it releases goes to a store beside it."""

    def __init__(self, folder: Path, storage: Storage | None = None) -> None:
        self.folder = folder
        self.landing = folder / "landing"
        self.landing.mkdir(parents=True, exist_ok=True)
        self.clock = FakeClock()
        self.storage: Storage = storage if storage is not None else MemoryStorage()
        self.waits: list[float] = []
        self.modules: list[str] = []
        self.options: dict[tuple[str, str], str | None] = {}
        self.online = LocalStorage(folder / "online")
        self.key = folder / "keys" / "release.key"
        self.set("headrace", "landing", str(self.landing))
        self.set("headrace", "metrics", str(folder / "metrics"))
        self.set("headrace", "online", str(self.online))
        self.set("headrace", "release_key", str(self.key))
        self.set("headrace", "trusted_keys", f"{self.key}.pub")
        self.set("headrace", "make_release_key", "true")
        self.set("headrace", "promotion", "automatic")
        self.set("headrace", "processes", "1")  # a busy machine begins a pool, and then stores in any order
        sys.path.insert(0, str(folder))

    def close(self) -> None:
        """Leave no trace in this process."""
        sys.path.remove(str(self.folder))
        self.forget()
        sessions.use(None)
        config = luigi.configuration.get_config()
        for (section, option), before in self.options.items():
            if before is None:
                config.remove_option(section, option)
            else:
                config.set(section, option, before)

    # What the world is made of.

    def write(self, name: str, text: str) -> None:
        """Land a file, whole, as it would be dropped."""
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part")
        temporary.write_text(textwrap.dedent(text), encoding="utf-8")
        temporary.replace(path)

    def rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Land rows as a CSV file."""
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        self.write(name, "\n".join(lines) + "\n")

    def code(self, module: str, text: str) -> None:
        """Write a module of the pipeline, or write it anew."""
        if module not in self.modules:
            self.modules.append(module)
        path = self.folder / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in path.relative_to(self.folder).parents:
            if folder != Path("."):
                (self.folder / folder / "__init__.py").touch()
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def edit(self, module: str, old: str, new: str) -> None:
        """Edit a module: what is replaced must be there."""
        path = self.folder / f"{module.replace('.', '/')}.py"
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {module}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def task(self, address: str, **parameters: Any) -> Any:
        """A task of the code as it now stands, such as `task("tasks.Total", dates="2013-05")`."""
        module, name = address.rsplit(".", 1)
        self.forget()
        return getattr(importlib.import_module(module), name)(**parameters)

    def forget(self) -> None:
        """Unload the pipeline's modules and tasks, as a new process finds them."""
        tops = {module.split(".")[0] for module in self.modules}
        for name in [name for name in sys.modules if name.split(".")[0] in tops]:
            del sys.modules[name]
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        Register.clear_instance_cache()
        Register._reg[:] = [cls for cls in Register._reg if cls.__module__.split(".")[0] not in tops]

    def set(self, task: str, option: str, value: str) -> None:
        """Configure a task, until the world ends."""
        config = luigi.configuration.get_config()
        self.options.setdefault((task, option), config.get(task, option, None))
        config.set(task, option, value)

    # What happens in it.

    def session(self) -> Session:
        """A new run's session."""
        session = Session(self.storage, self.clock, self.wait)
        sessions.use(session)
        return session

    def wait(self, seconds: float) -> None:
        """Let time pass, and note that somebody waited."""
        self.waits.append(seconds)
        self.clock.advance(seconds=seconds)

    def run(self, address: str, workers: int = 1, **parameters: Any) -> RunResult:
        """Run a task of the code as it now stands, as a new process would."""
        self.session()
        return pipeline.run(self.task(address, **parameters), workers=workers)

    def built(self, address: str, workers: int = 1, **parameters: Any) -> list[str]:
        """Run a task; which builds ran. Nothing may fail."""
        result = self.run(address, workers, **parameters)
        assert not result.summary["failures"], result.summary["failures"]
        return result.built

    def load(self, address: str, **parameters: Any) -> Any:
        """A task's value."""
        self.session()
        return pipeline.load(self.task(address, **parameters))
