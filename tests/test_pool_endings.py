"""A run that builds on processes: interrupted, told to end, or killed, with one build at a gate."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.build.interruption import INTERRUPTED, TERMINATED
from tests.mill import Project

pytestmark = pytest.mark.thorough

SLUMPS = [f"build 2026-03-{day:02}" for day in range(9, 16)]
AT_A_GATE, LAST = SLUMPS[0], SLUMPS[-1]
ENDS_S = 20.0
"""A process that is told to end is over long before."""
TASKS = ("Sales", "WeekBefore", "Slumps")


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """The first day's build waits at a gate, and the last day's tells that it has begun."""
    shop = Project.example("shop", tmp_path / "shop")
    module = shop.folder / "shop.py"
    text = module.read_text(encoding="utf-8")
    wait = (
        "        gates = {'2026-03-09': 'gate', '2026-03-15': 'last'}\n"
        "        for gate in [gates[day] for day in map(str, self.dates) if day in gates]:\n"
        "            if __import__('os').path.exists(gate):\n"
        "                open(gate).read()\n"
    )
    build = "        today = Tally"
    assert build in text
    module.write_text(text.replace(build, wait + build), encoding="utf-8")
    path = shop.folder / "luigi.cfg"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[headrace]\n", "[headrace]\nprocesses = 2\n"), encoding="utf-8")
    os.mkfifo(shop.folder / "gate")
    os.mkfifo(shop.folder / "last")
    return shop


def start(shop: Project, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "luigi", "--module", "shop", "Slumps", *words],
        cwd=shop.folder, env=shop.environment(), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def open_gates(shop: Project) -> None:
    (shop.folder / "gate").unlink()
    (shop.folder / "last").unlink()


def processes(group: int) -> list[int]:
    """Those of a process group that are not over."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(pgrp) == group and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def left_behind(group: int) -> list[int]:
    """Those of a process group that go on; who has closed its files and is about to be over is waited for."""
    for pid in processes(group):
        try:
            ending = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        select.select([ending], [], [], ENDS_S)
        os.close(ending)
    return processes(group)


def digests(shop: Project) -> dict[str, dict[str, tuple[str, str]]]:
    return {task: shop.digests(task) for task in TASKS}


def undisturbed(shop: Project, folder: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """What a run makes that nothing happens to, of the same code."""
    other = Project.example("shop", folder)
    (other.folder / "shop.py").write_bytes((shop.folder / "shop.py").read_bytes())
    other.luigi("shop", "Slumps")
    return digests(other)


def test_a_slow_partition_does_not_hold_the_others(shop: Project) -> None:
    with start(shop) as run:
        slow = os.open(shop.folder / "gate", os.O_WRONLY)
        os.close(os.open(shop.folder / "last", os.O_WRONLY))  # the last has begun, and the first still waits
        os.close(slow)
        run.communicate()

    assert run.returncode == 0
    assert sorted(shop.digests("Slumps")) == SLUMPS


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
def test_a_run_that_is_ended_keeps_what_was_built_and_leaves_no_process(
    shop: Project, number: signal.Signals, code: int, workers: str, tmp_path: Path
) -> None:
    """Ctrl-C goes to every process of the run, SIGTERM to the run alone."""
    with start(shop, "--workers", workers) as run:
        with open(shop.folder / "gate", "w"), open(shop.folder / "last", "w"):
            (os.killpg if number is signal.SIGINT else os.kill)(run.pid, number)
            said, _ = run.communicate()
        left = left_behind(run.pid)

    assert run.returncode == code
    assert left == []
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("interrupted: ")
    assert shop.summary()["status"] == "interrupted"
    kept = sorted(shop.digests("Slumps"))
    assert set(SLUMPS[1:5]) <= set(kept) <= set(SLUMPS[1:6])  # the last may just have come back

    open_gates(shop)
    shop.luigi("shop", "Slumps")

    assert [f"build {name.split()[1]}" for name in shop.built()] == [d for d in SLUMPS if d not in kept]
    assert digests(shop) == undisturbed(shop, tmp_path / "undisturbed")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_sigterm_ends_a_run_of_one_process_as_one_of_many(shop: Project, processes: str) -> None:
    path = shop.folder / "luigi.cfg"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("processes = 2", f"processes = {processes}"), encoding="utf-8")

    with start(shop) as run, open(shop.folder / "gate", "w"):
        run.terminate()
        said, _ = run.communicate()

    assert run.returncode == TERMINATED
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("interrupted: 34 built (") or processes == "2"


def test_after_a_kill_at_most_one_group_is_built_again(shop: Project, tmp_path: Path) -> None:
    with start(shop) as run, open(shop.folder / "gate", "w"), open(shop.folder / "last", "w"):
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
    kept = digests(shop)

    open_gates(shop)
    shop.luigi("shop", "Slumps")

    built = shop.built()
    assert all(name.startswith("Slumps ") for name in built)  # the open group: stages before it were stored
    assert len(built) == len(SLUMPS) - len(kept["Slumps"])
    assert digests(shop) == undisturbed(shop, tmp_path / "undisturbed")


def test_processes_end_with_a_run_that_is_killed_alone(shop: Project) -> None:
    with start(shop) as run, open(shop.folder / "gate", "w"), open(shop.folder / "last", "w"):
        run.kill()
        run.communicate()  # until nobody holds its output any more

        assert left_behind(run.pid) == []
