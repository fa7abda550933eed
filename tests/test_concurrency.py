"""Sixteen processes on one store lose nothing, and the judges of that find what they should."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import seaweed
from tests.mill import ROOT
from tests.torture import concurrency
from tests.torture.concurrency import KINDS, PROCESSES, VIOLATIONS, judge_flips
from tests.torture.linear import APPEND, EMPTY, READ, REFUSED, Operation, alias, is_linearizable

# The checker. Times are (called, returned).


def read(called: int, returned: int, number: int, words: str) -> Operation:
    return Operation(called, returned, READ, None, (number, words))


def append(called: int, returned: int, expected: int, words: str) -> Operation:
    return Operation(called, returned, APPEND, (expected, words), expected + 1)


def refused(called: int, returned: int, expected: int) -> Operation:
    return Operation(called, returned, REFUSED, expected, None)


@pytest.mark.parametrize(
    "history",
    [
        [],
        [append(0, 1, 0, "a"), read(2, 3, 1, "a")],
        [append(0, 9, 0, "a"), read(1, 2, 0, ""), read(3, 4, 1, "a"), read(5, 6, 1, "a")],
        [append(0, 9, 0, "a"), read(1, 2, 1, "a")],
        [append(0, 9, 1, "b"), append(1, 8, 0, "a"), read(2, 7, 2, "b")],
        [append(0, 5, 0, "a"), refused(1, 3, 0)],
        [append(0, 5, 0, "a"), append(2, 9, 1, "b"), refused(1, 8, 1), read(1, 3, 0, "")],
    ],
)
def test_a_history_that_could_be_is_linearizable(history: list[Operation]) -> None:
    assert is_linearizable(history, EMPTY, alias)


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([append(0, 1, 0, "a"), read(2, 3, 0, "")], id="an append is not seen"),
        pytest.param([append(0, 1, 0, "a"), append(2, 3, 0, "b")], id="both win, one after the other"),
        pytest.param([append(0, 3, 0, "a"), append(1, 2, 0, "b")], id="both win, at once"),
        pytest.param([read(0, 1, 1, "a"), append(2, 3, 0, "a")], id="read before it was"),
        pytest.param([append(0, 1, 0, "a"), append(2, 3, 2, "b")], id="a gap"),
        pytest.param(
            [append(0, 9, 0, "a"), read(1, 2, 1, "a"), read(3, 4, 0, "")], id="seen, and then no more"
        ),
        pytest.param([append(0, 1, 0, "a"), read(2, 3, 1, "b")], id="another's words"),
        pytest.param([refused(0, 1, 0), append(2, 3, 0, "a")], id="refused with nobody there"),
        pytest.param(
            [append(0, 1, 0, "a"), append(2, 9, 1, "b"), read(3, 4, 2, "b"), read(5, 6, 1, "a")],
            id="two readers, of whom the later sees the older",
        ),
    ],
)
def test_a_history_that_could_not_be_is_found(history: list[Operation]) -> None:
    assert not is_linearizable(history, EMPTY, alias)


def by_trying_every_order(history: list[Operation]) -> bool:
    """The definition."""
    for order in permutations(history):
        state: tuple[int, str] | None = EMPTY
        for index, operation in enumerate(order):
            overtakes = any(later.returned < operation.called for later in order[index:])
            state = None if overtakes or state is None else alias(state, operation)
        if state is not None:
            return True
    return False


times = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda pair: (min(pair), max(pair)))
operations = st.builds(
    lambda span, make, number, words: make(*span, number, words),
    times,
    st.sampled_from([read, append, lambda called, returned, number, _: refused(called, returned, number)]),
    st.integers(0, 2),
    st.sampled_from("ab"),
)


@given(st.lists(operations, max_size=5))
def test_the_search_agrees_with_the_definition(history: list[Operation]) -> None:
    assert is_linearizable(history, EMPTY, alias) == by_trying_every_order(history)


# The judge of an alias: (number, words, who) is there.

LOST = "'a' has generation 1, promote by ada, expected generation 0 to be the newest: look, then decide"


def test_a_race_that_was_lost_names_who_won() -> None:
    told = [append(0, 9, 0, "x"), Operation(1, 12, REFUSED, 0, LOST)]

    assert not judge_flips(told, [(1, "x", "ada")])
    assert judge_flips(told, [(1, "x", "bob")]) == {"wrong": 1}


@pytest.mark.parametrize(
    "history", [[], [(2, "x", "ada")], [(1, "x", "ada"), (2, "y", "ada")], [(1, "y", "ada")]]
)
def test_what_was_acknowledged_must_be_there_once_and_nothing_else(
    history: list[tuple[int, str, str]],
) -> None:
    assert judge_flips([append(0, 1, 0, "x")], history)["lost"] == 1


# The campaign. In a process of its own: it forks, which is unsafe where there are threads.

MUTANTS = {
    "check-then-write": """
        import os
        from pipeline.store.local import LocalStorage

        def link(self, temporary, name):
            if self.stat(name) is not None:
                return False
            os.sched_yield()
            self._place(os.replace, temporary, name)
            return True

        LocalStorage._link = link
    """,
    "claims-hold-nobody-back": """
        from pipeline.build.claim import Claims

        Claims._holder = lambda self, name: None
    """,
    "losers-keep-their-own": """
        from pipeline.store import repository

        def adopt(self, drafts, real=repository.Repository.commit):
            made = [repository.Record(d.key, 1, {**d.body, "format": 1}) for d in drafts]
            return [c._replace(record=m) for c, m in zip(real(self, drafts), made)]

        repository.Repository.commit = adopt
    """,
}


def tried(rounds: int, seed: int, mutant: str = "", kinds: str = "KINDS") -> tuple[int, dict[str, int], str]:
    """The exit code of a campaign, its counts and its words."""
    code = "\n".join(line[8:] for line in mutant.splitlines())
    code += f"\nfrom tests.torture import concurrency as c\nc.KINDS = {kinds}\n".replace(
        "= KINDS", "= c.KINDS"
    )
    code += f"import sys; sys.exit(c.main(['--count', '{rounds}', '--seed', '{seed}']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    *said, last = done.stdout.splitlines() or ["{}"]
    return done.returncode, json.loads(last), "\n".join([*said, done.stderr])


def test_nothing_is_lost_among_sixteen_processes() -> None:
    code, found, said = tried(len(KINDS), seed=1)

    assert (code, {kind: found[kind] for kind in VIOLATIONS}) == (0, dict.fromkeys(VIOLATIONS, 0)), said
    assert found["rounds"] == len(KINDS)
    assert found["commits"] == PROCESSES * (concurrency.KEYS + 1)
    assert found["stopped"] == 1
    assert found["flips"] > 0


@pytest.mark.thorough
def test_nothing_is_lost_in_many_rounds() -> None:
    code, found, said = tried(3 * len(KINDS), seed=2)

    assert code == 0, said
    assert found["lost_races"] > 0


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("mutant", "rounds", "kinds", "damage"),
    [
        ("check-then-write", 40, "(c.commits, c.flips)", "lost"),
        ("claims-hold-nobody-back", 40, "(c.claims,)", "built_twice"),
        ("losers-keep-their-own", 10, "(c.commits,)", "wrong"),
    ],
)
def test_a_mutant_is_found(mutant: str, rounds: int, kinds: str, damage: str) -> None:
    code, found, said = tried(rounds, seed=1, mutant=MUTANTS[mutant], kinds=kinds)

    assert code == 1, said
    assert found[damage] > 0, found


@pytest.mark.thorough
def test_a_bucket_loses_nothing_either(tmp_path: Path) -> None:
    if why := seaweed.missing():
        pytest.skip(why)
    code = (
        "import json, sys; from pathlib import Path; from tests.torture import concurrency as c;"
        f"print(json.dumps(c.in_a_bucket(Path({str(tmp_path)!r}), 1, lambda f: f['rounds'] >= 4)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )

    found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
    assert found.get("rounds_in_a_bucket") == 4, done.stdout + done.stderr
    assert [kind for kind in VIOLATIONS if found.get(kind)] == [], done.stdout
