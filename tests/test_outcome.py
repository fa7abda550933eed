"""What a run means, as a table: the rules alone, in memory."""

from __future__ import annotations

import pytest

from pipeline.build.outcome import (
    WORDS,
    How,
    Outcome,
    Output,
    Policy,
    Seen,
    State,
    hole,
    is_complete,
    is_settled,
    verdict,
)  # fmt: skip
from pipeline.values.digest import digest_bytes

DIGEST = digest_bytes(b"value")
DONE = Outcome(State.DONE, Output(DIGEST, DIGEST, 5, "json/1"))
FAILED = Outcome(State.FAILED, cause="ValueError: 7")
BLOCKED = Outcome(State.BLOCKED, cause="Source 2013-05-01 failed")
HOLE = hole("a declared gap")
UNKNOWN = Outcome(State.UNKNOWN, cause="unknown until something is built")


def see(outcome: Outcome, failed: Policy = "block", optional: bool = False, single: bool = True) -> Seen:
    return Seen("Flights", {"2013-05-01": outcome}, failed, optional, single)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (see(DONE), None),
        (see(FAILED), State.BLOCKED),
        (see(BLOCKED), State.BLOCKED),
        (see(HOLE), State.HOLE),
        (see(UNKNOWN), State.UNKNOWN),
        (see(HOLE, optional=True), None),
        (see(HOLE, single=False), None),
        (see(FAILED, optional=True), State.BLOCKED),
        (see(FAILED, "skip", optional=True), None),
        (see(FAILED, "skip", single=False), None),
        (see(BLOCKED, "skip", single=False), None),
        (see(FAILED, "skip"), State.HOLE),
    ],
)
def test_what_one_input_decides(seen: Seen, state: State | None) -> None:
    found = verdict({"flights": seen})

    assert (found.state if found else None) == state


def test_of_an_input_without_any_value_nothing_is_made() -> None:
    def see_all(*outcomes: Outcome, failed: Policy = "skip", optional: bool = False) -> Seen:
        days = {f"2013-05-0{number}": outcome for number, outcome in enumerate(outcomes, 1)}
        return Seen("Flights", days, failed, optional, single=False, everything=True)

    nothing = verdict({"flights": see_all(HOLE, HOLE)})
    assert nothing is not None
    assert (nothing.state, nothing.missing) == (State.FAILED, True)
    assert nothing.cause.startswith("Flights has no data at all (2 days, from 2013-05-01)")
    assert _state(see_all(HOLE, FAILED)) is State.BLOCKED
    assert _state(see_all(HOLE, DONE)) is None
    assert _state(see_all(FAILED, DONE)) is None
    assert _state(see_all(HOLE, HOLE, optional=True)) is None


def test_a_failure_weighs_more_than_a_hole_and_less_than_the_unknown() -> None:
    assert _state(see(HOLE), see(FAILED)) is State.BLOCKED
    assert _state(see(UNKNOWN), see(FAILED)) is State.UNKNOWN


def _state(*seen: Seen) -> State | None:
    found = verdict({str(n): one for n, one in enumerate(seen)})
    return found.state if found else None


def test_a_blocked_partition_names_the_first_failure() -> None:
    first = verdict({"flights": see(FAILED)})
    assert first is not None

    second = verdict({"features": see(first)})

    assert second is not None
    assert second.cause == first.cause == "Flights 2013-05-01 failed"


def test_settled_is_anything_but_unknown_and_complete_is_done_or_hole() -> None:
    assert is_settled([DONE, FAILED, BLOCKED, HOLE])
    assert not is_settled([DONE, UNKNOWN])
    assert is_complete([DONE, HOLE])
    assert not is_complete([DONE, FAILED])
    assert not is_complete([DONE, BLOCKED])


def test_the_word_of_a_done_partition_tells_built_from_found() -> None:
    built = Outcome(State.DONE, DONE.output, how=How.BUILT)

    assert [outcome.word for outcome in (DONE, built, FAILED, HOLE)] == ["found", "built", "failed", "hole"]
    assert {*How, *State} - {State.DONE} == {*WORDS}
