"""Pipelines in a folder of their own: real files, real processes, a real store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pipeline.build import ledger
from pipeline.build.action import action_label
from pipeline.store.local import LocalStorage
from pipeline.store.record import Record
from pipeline.store.repository import Repository
from pipeline.values.digest import parse_json

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent


class Project:
    """A folder with a configuration, a landing and a store, and the commands that a user types in it."""

    def __init__(
        self, folder: Path, landing: str = "landing", store: str = "store", online: str = "online"
    ) -> None:
        self.folder = folder
        self.landing = folder / landing
        self.store = folder / store
        self.online = folder / online
        self.cwd = folder
        self._temporary = tempfile.mkdtemp(prefix="headrace-")  # not below: a socket's path is short
        weakref.finalize(self, shutil.rmtree, self._temporary, ignore_errors=True)

    @classmethod
    def example(cls, name: str, folder: Path) -> Self:
        """A copy of one of the examples."""
        shutil.copytree(ROOT / "examples" / name, folder, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        return cls(folder, store=".headrace")

    def environment(self) -> dict[str, str]:
        """What the commands find in the environment: one thread, and this folder's configuration.

        And temporary files of their own: Luigi keeps a lock there for each command line, whatever its store.
        """
        return {
            **os.environ,
            "TMPDIR": self._temporary,
            "LUIGI_CONFIG_PATH": str(self.folder / "luigi.cfg"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        }

    def run(self, *command: str, expect: int = 0, cwd: Path | None = None) -> str:
        """Run a command as a user would; all that it printed."""
        done = subprocess.run(
            command,
            cwd=cwd or self.cwd,
            env=self.environment(),
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == expect, f"exit code {done.returncode}, expected {expect}:\n{done.stdout}"
        return done.stdout

    def luigi(self, *words: str, expect: int = 0) -> str:
        """`python -m luigi --module ...`, which finds modules in the folder where it is called."""
        return self.run("python", "-m", "luigi", "--module", *words, expect=expect)

    def built(self) -> list[str]:
        """What the newest run built, such as `Flights 2013-05-01`."""
        storage = LocalStorage(self.store)
        newest = max(name.split("/")[1] for name in storage.list("runs"))
        return sorted(
            action_label(build["task"], build["step"], build["partition"])
            for stage in ledger.stages(storage, newest).values()
            for build in stage["builds"]
        )

    def summary(self) -> Mapping[str, Any]:
        """How the newest run ended."""
        storage = LocalStorage(self.store)
        runs = [name for name in storage.list("runs") if name.count("/") == 2 and name.endswith("/run")]
        found: Mapping[str, Any] = parse_json(storage.read(max(runs)))
        return found

    def records(self, task: str) -> list[Record]:
        """Every record of a task."""
        return list(Repository(LocalStorage(self.store)).records(task))

    def digests(self, task: str) -> dict[str, tuple[str, str]]:
        """The digest and the blob of each value that a task has made, by step and partition."""
        return {
            f"{record.recipe['step']} {record.recipe['partition']}": (
                record.outputs["value"]["digest"],
                record.outputs["value"]["blob"],
            )
            for record in self.records(task)
        }


class Checkout(Project):
    """A copy of the checkout, with the environment that runs the tests as its own: what a newcomer has."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "data/landing", "data/store", "data/online")
        left_out = shutil.ignore_patterns(".*", "data", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, folder, ignore=left_out)
        environment = folder / ".venv"
        environment.mkdir()
        for entry in Path(sys.prefix).iterdir():
            if entry.name != ".ready":
                (environment / entry.name).symlink_to(entry)
        (environment / ".ready").touch()

    def environment(self) -> dict[str, str]:
        """As a shell has it in which `.venv` was activated."""
        kept = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        return {
            **kept,
            "PATH": f"{self.folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder),  # before the checkout that the environment was installed from
            "COLUMNS": "110",
            "LOGNAME": "ada",  # who promotes
        }


class Mill(Project):
    """The worked pipeline on real flights, run in the checkout, with a landing and a store of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cwd = ROOT
        self.configure()

    def configure(self, extra: str = "") -> None:
        """What the user's own Luigi configuration says."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "luigi.cfg").write_text(
            f"[headrace]\nstore = {self.store}\nlanding = {self.landing}\n"
            f"metrics = {self.folder / 'metrics'}\nonline = {self.online}\n"
            f"release_key = {self.folder / 'release.key'}\n"
            f"trusted_keys = {self.folder / 'release.key.pub'}\n{extra}",
            encoding="utf-8",
        )

    def copy(self, folder: Path) -> Mill:
        """The same files in another place, to be changed there."""
        shutil.copytree(self.folder, folder)
        return Mill(folder)

    def land(self, *options: str) -> str:
        """Let files arrive."""
        return self.run("python", "-m", "tasks.landing", "--to", str(self.landing), *options)

    def train(self, *options: str, expect: int = 0) -> str:
        """The main job."""
        return self.run("luigi", "--module", "tasks", "TrainModel", *options, expect=expect)


def configure(project: Project, old: str, new: str) -> None:
    """Edit a project's configuration: what is replaced must be there."""
    path = project.folder / "luigi.cfg"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
