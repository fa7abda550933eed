"""Claims: who builds what, among overlapping runs. Losing one costs repeated work and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.build.claim import LIFETIME_S, Claims
from pipeline.store.storage import MemoryStorage
from pipeline.values.digest import canonical_json, digest_bytes, parse_json
from tests.mill import Project
from tests.world import FakeClock

KEY = digest_bytes(b"an action")
NAME = f"claims/{KEY.hex}"


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def claimed_by(storage: MemoryStorage, clock: FakeClock, **changed: object) -> None:
    """A claim as another process holds it."""
    Claims(storage, clock).take(KEY)
    claim = parse_json(storage.read(NAME))
    storage.replace(NAME, canonical_json({**claim, **changed}))


def test_a_claim_is_taken_and_given_back(storage: MemoryStorage, clock: FakeClock) -> None:
    claims = Claims(storage, clock)

    assert claims.take(KEY)
    assert storage.stat(NAME)
    claims.release()
    assert storage.stat(NAME) is None


def test_a_living_process_is_waited_for(storage: MemoryStorage, clock: FakeClock) -> None:
    claimed_by(storage, clock, pid=os.getppid())

    assert not Claims(storage, clock).take(KEY)


def test_another_machine_is_believed_until_its_claim_expires(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    claimed_by(storage, clock, host="elsewhere", pid=1)
    claims = Claims(storage, clock)

    assert not claims.take(KEY)
    clock.advance(seconds=LIFETIME_S)
    assert claims.take(KEY)


def test_a_process_that_is_gone_holds_nobody_up(storage: MemoryStorage, clock: FakeClock) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    claimed_by(storage, clock, pid=ended.pid)

    assert Claims(storage, clock).take(KEY)


def test_another_boot_of_this_machine_counts_as_another_machine(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    claimed_by(storage, clock, host="this machine, before it was started anew", pid=os.getpid())

    assert not Claims(storage, clock).take(KEY)


def test_what_is_no_claim_is_taken_over(storage: MemoryStorage, clock: FakeClock) -> None:
    storage.replace(NAME, b"half a cla")

    assert Claims(storage, clock).take(KEY)


def test_overlapping_runs_do_the_work_once(tmp_path: Path) -> None:
    """The first run is held up in its last build until the second says that it waits for it."""
    project = Project.example("messages", tmp_path / "messages")
    os.mkfifo(project.folder / "go")
    module = project.folder / "messages.py"
    text = module.read_text(encoding="utf-8")
    build = "        rows = messages.table()\n"
    assert build in text
    module.write_text(text.replace(build, f"        open('go').read()\n{build}"), encoding="utf-8")
    words = [sys.executable, "-m", "luigi", "--module", "messages", "SpamFilter", "--no-lock"]

    def start() -> subprocess.Popen[str]:
        environment = project.environment()
        return subprocess.Popen(words, cwd=project.folder, env=environment, text=True, stderr=subprocess.PIPE)

    with start() as first:
        gate = os.open(project.folder / "go", os.O_WRONLY)  # opens once the first run is in its build
        with start() as second:
            assert second.stderr
            assert any("waiting for 1 that another run builds" in line for line in second.stderr)
            os.close(gate)
            first.communicate()
            second.communicate()

    [record] = project.records("SpamFilter")
    assert (first.returncode, second.returncode) == (0, 0)
    assert record.attempt == 1
