"""Claims: who builds what, among overlapping runs. Losing one costs repeated work and nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from pipeline.build import claim
from pipeline.build.claim import LIFETIME_S, Claims
from pipeline.store.storage import MemoryStorage
from pipeline.values.digest import canonical_json, digest_bytes, parse_json
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
    found = parse_json(storage.read(NAME))
    storage.replace(NAME, canonical_json({**found, **changed}))


def started(pid: int) -> str:
    """When a living process began, as its own claim would say."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[19]


def test_a_claim_is_taken_and_given_back(storage: MemoryStorage, clock: FakeClock) -> None:
    claims = Claims(storage, clock)

    assert claims.take(KEY)
    assert storage.stat(NAME)
    claims.release()
    assert storage.stat(NAME) is None


def test_a_claim_given_back_can_be_taken_by_others(storage: MemoryStorage, clock: FakeClock) -> None:
    claimed_by(storage, clock, pid=os.getppid(), started=started(os.getppid()))
    storage.delete([NAME])

    assert Claims(storage, clock).take(KEY)


def test_giving_back_leaves_the_claims_of_others_alone(storage: MemoryStorage, clock: FakeClock) -> None:
    mine, theirs = Claims(storage, clock), Claims(storage, clock)
    mine.take(digest_bytes(b"another action"))
    theirs.take(KEY)

    mine.release()

    assert list(storage.list("claims")) == [NAME]


def test_a_living_process_is_waited_for(storage: MemoryStorage, clock: FakeClock) -> None:
    claimed_by(storage, clock, pid=os.getppid(), started=started(os.getppid()))

    assert not Claims(storage, clock).take(KEY)


def test_a_living_process_is_believed_however_long_it_builds(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    claimed_by(storage, clock, pid=os.getppid(), started=started(os.getppid()))

    clock.advance(seconds=10 * LIFETIME_S)

    assert not Claims(storage, clock).take(KEY)


def test_where_a_boot_has_no_name_a_number_is_believed_until_its_claim_expires(
    storage: MemoryStorage, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `/proc` nothing tells a process from a later one of its number."""
    monkeypatch.setattr(claim, "_boot", lambda: "")
    claimed_by(storage, clock, pid=os.getppid(), started=started(os.getppid()))
    assert not Claims(storage, clock).take(KEY)

    clock.advance(seconds=LIFETIME_S)

    assert Claims(storage, clock).take(KEY)


def test_another_machine_is_believed_until_its_claim_expires(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    claimed_by(storage, clock, host="elsewhere", pid=1)
    claims = Claims(storage, clock)

    assert not claims.take(KEY)
    clock.advance(seconds=LIFETIME_S)
    assert claims.take(KEY)


def test_a_claim_lasts_as_long_however_long_ago_its_process_took_the_first(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    claims = Claims(storage, clock)
    claims.take(digest_bytes(b"the first"))
    clock.advance(seconds=10 * LIFETIME_S)
    claims.take(KEY)

    clock.advance(seconds=0.9 * LIFETIME_S)

    assert parse_json(storage.read(NAME))["expires_at"] > clock().isoformat()


def test_a_claim_says_whose_it_is_where_the_clock_was_set_back(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    claims = Claims(storage, clock)
    for moved in (-1, LIFETIME_S, -2 * LIFETIME_S):
        clock.advance(seconds=moved)
        claims.take(KEY)

        told = parse_json(storage.read(NAME))
        claims.release()

        assert told == claim.this_process(clock())


def test_a_claim_that_was_taken_over_names_its_new_holder(storage: MemoryStorage, clock: FakeClock) -> None:
    claimed_by(storage, clock, host="elsewhere", pid=1)
    clock.advance(seconds=LIFETIME_S)
    Claims(storage, clock).take(KEY)

    found = parse_json(storage.read(NAME))

    assert (found["host"], found["pid"]) == (socket.gethostname(), os.getpid())
    assert found["expires_at"] > clock().isoformat()


def test_a_process_that_is_gone_holds_nobody_up(storage: MemoryStorage, clock: FakeClock) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    claimed_by(storage, clock, pid=ended.pid, started="")

    assert Claims(storage, clock).take(KEY)


def test_a_process_that_ended_and_that_nobody_asked_after_holds_nobody_up(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        claimed_by(storage, clock, pid=child.pid, started=started(child.pid))
        assert not Claims(storage, clock).take(KEY)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is over, and a zombie

        assert Claims(storage, clock).take(KEY)


def test_a_process_whose_number_lives_on_in_another_holds_nobody_up(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    claimed_by(storage, clock, pid=os.getppid(), started="1")

    assert Claims(storage, clock).take(KEY)


def test_an_earlier_process_of_our_own_number_holds_nobody_up(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    """In a container, every run may be process 1."""
    claimed_by(storage, clock, started="1")
    claims = Claims(storage, clock)

    assert claims.take(KEY)
    claims.close()
    assert storage.stat(NAME) is None


def test_what_this_process_has_claimed_is_ours_and_stays_with_who_took_it(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    """An engine that heals an input works inside another's build, and ends before it."""
    outer, inner = Claims(storage, clock), Claims(storage, clock)
    outer.take(KEY)
    outer.hold([KEY])

    assert inner.take(KEY)
    inner.close()
    outer.release()

    assert storage.stat(NAME)
    outer.close()
    assert storage.stat(NAME) is None


def test_what_a_run_has_claimed_is_claimed_for_its_processes(
    storage: MemoryStorage, clock: FakeClock
) -> None:
    """To wait for it would be for ever: the run waits for what they build."""
    claimed_by(storage, clock, pid=os.getppid(), started=started(os.getppid()))
    run = parse_json(storage.read(NAME))
    claims = Claims(storage, clock, run)

    assert claims.take(KEY)
    claims.close()
    assert parse_json(storage.read(NAME)) == run
    assert not Claims(storage, clock, {**run, "started": "1"}).take(KEY)


def test_an_earlier_boot_of_this_machine_holds_nobody_up(storage: MemoryStorage, clock: FakeClock) -> None:
    """After a power cut the number may be anybody's, and the hour would be waited for nothing."""
    claimed_by(storage, clock, boot="before the power cut", pid=os.getppid(), started=started(os.getppid()))

    assert Claims(storage, clock).take(KEY)


@pytest.mark.parametrize(
    "data",
    [b"half a cla", b"[]\n", b'{"host":"elsewhere"}\n', b'{"expires_at":"tomorrow","host":"elsewhere"}\n'],
)
def test_what_is_no_claim_is_taken_over(storage: MemoryStorage, clock: FakeClock, data: bytes) -> None:
    storage.replace(NAME, data)

    assert Claims(storage, clock).take(KEY)


def test_a_claim_whose_end_names_no_zone_is_none(storage: MemoryStorage, clock: FakeClock) -> None:
    claimed_by(storage, clock, host="elsewhere", expires_at="2099-01-01T00:00:00")

    assert Claims(storage, clock).take(KEY)
