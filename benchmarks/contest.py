"""A folder in which W(N) is run: files that land, code that is edited, and whole processes that are measured.

All contestants read one landing and one copy of the code, and write into folders of their own.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.workload import count, data
from pipeline.build import ledger
from pipeline.clock import stopwatch
from pipeline.store.local import LocalStorage
from tests.mill import ROOT, Project


@dataclass(frozen=True)
class Edit:
    """A text in a file of the workload, and what stands there afterwards."""

    file: str
    before: str
    after: str

    def reverse(self) -> Edit:
        """What takes it back."""
        return Edit(self.file, self.after, self.before)


COMMENT = Edit("features.py", "# The time of day lies on a circle", "# The time of day is a circle")
NO_EFFECT = Edit("features.py", "(2 * np.pi / 86_400)", "(np.pi / 43_200)")
HELPER = Edit("units.py", "cents / CENTS", "cents / (CENTS / 2)")


HOURLY = (
    Edit("headrace_job.py", 'files = "{day}.csv"', 'files = "{hour}.csv"\n    unit = "hour"'),
    Edit(
        "headrace_job.py",
        '"""A day\'s sales as numbers."""',
        '"""An hour\'s sales as numbers."""\n    unit = "hour"',
    ),
)


@dataclass(frozen=True)
class Used:
    """What a process took, with those that it waited for; memory is that of the largest of them."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    built: Mapping[str, int]
    """How often each step was built."""


class Contest(Project):
    """W(N): the store is Headrace's; the folders of the others have their names."""

    def __init__(self, folder: Path, days: int, rows: int = data.ROWS, hourly: bool = False) -> None:
        super().__init__(folder)
        self.days, self.rows, self.hourly = days, rows, hourly
        package = folder / "benchmarks"
        shutil.copytree(ROOT / "benchmarks" / "workload", package / "workload", ignore=_COMPILED)
        (package / "__init__.py").touch()
        if hourly:
            for edit in HOURLY:
                self._write(edit)
        self.configure()
        self._compile()
        data.land(self.landing, range(days), rows, hourly=hourly)

    def configure(self, processes: int = 1) -> None:
        """Where things are, and on how many processes a stage builds."""
        slot = "{hour}" if self.hourly else "{day}"
        (self.folder / "luigi.cfg").write_text(
            f"[core]\nlock_pid_dir = {self.folder / 'locks'}\n"
            f"[headrace]\nstore = {self.store}\nlanding = {self.landing}\nlanded = {slot}.csv\n"
            f"metrics = {self.folder / 'metrics'}\nprocesses = {processes}\n"
            + "".join(f"[{task}]\ndates = {data.BEGIN}..landed\n" for task in ("Stats", "Model")),
            encoding="utf-8",
        )

    def environment(self) -> dict[str, str]:
        """This folder's code before that of the checkout, which has a package of the same name."""
        found = super().environment()
        found.pop("PYTHONDONTWRITEBYTECODE", None)
        return {**found, "PYTHONPATH": str(self.folder), count.LOG: str(self._log)}

    @cached_property
    def _log(self) -> Path:
        return self.folder / "built.log"

    # What happens between two nights.

    def file(self, number: int) -> Path:
        """A day's landed file."""
        return self.landing / f"{data.day(number, self.hourly)}.csv"

    def arrive(self) -> None:
        """One more day lands."""
        data.land(self.landing, range(self.days, self.days + 1), self.rows, hourly=self.hourly)
        self.days += 1

    def correct(self) -> None:
        """The middle day's file is replaced by another one."""
        data.correct(self.file(self.days // 2))

    def drop_again(self) -> None:
        """The middle day's file is replaced by an equal one."""
        data.drop_again(self.file(self.days // 2))

    def edit(self, edit: Edit) -> None:
        """Change the code. Compiled at once, or the first to run would do that for all the others."""
        self._write(edit)
        self._compile()

    def _write(self, edit: Edit) -> None:
        path = self.folder / "benchmarks" / "workload" / edit.file
        text = path.read_text(encoding="utf-8")
        assert text.count(edit.before) == 1, f"{edit.file} does not have {edit.before!r} once"
        path.write_text(text.replace(edit.before, edit.after), encoding="utf-8")

    def _compile(self) -> None:
        """By force: an edit that keeps size and second would leave what was compiled before."""
        assert compileall.compile_dir(self.folder / "benchmarks", quiet=1, force=True)

    # What is measured.

    def ledger(self) -> Counter[str]:
        """How often Headrace built each step of each task, by the ledgers of all runs so far."""
        storage = LocalStorage(self.store)
        runs = {name.split("/")[1] for name in storage.list("runs")}
        return Counter(
            f"{build['task']} {build['step']}"
            for run in runs
            for stage in ledger.stages(storage, run).values()
            for build in stage["builds"]
        )

    def fresh(self, *folders: Path) -> None:
        """Put aside what was made, and wait for what is still on its way to the disk.

        Nothing is deleted: for minutes afterwards ext4 would pass over each deleted file whenever it makes
        one, which no first run has to bear.
        """
        bygone = self.folder / "bygone"
        for folder in folders or (self.store,):
            if folder.exists():
                bygone.mkdir(exist_ok=True)
                folder.rename(bygone / str(len(list(bygone.iterdir()))))
        os.sync()

    def measure(self, command: Sequence[str], **environment: str) -> Used:
        """Run a whole process, and say what it took; what it prints is shown where it fails."""
        self._log.write_bytes(b"")
        printed = self.folder / "printed.txt"
        with printed.open("wb") as output:
            began = stopwatch()
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**self.environment(), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = stopwatch() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, f"{' '.join(command)}: {process.returncode}\n{printed.read_text()}"
        built = Counter(self._log.read_text(encoding="ascii").split())
        return Used(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, dict(built))


_COMPILED = shutil.ignore_patterns("__pycache__")
