"""Nothing in use is lost to a collection, whoever was stopped for however long.

A short slice of `tests.torture.collecting`. The mutants leave out one guard each, so that nobody has to
believe that the interleavings would notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.build import claim
from pipeline.build.claim import Claims
from pipeline.release import garbage
from pipeline.release.registry import Registry
from pipeline.store.collection import Collection, Done, Plan
from pipeline.store.mark import Garbage, Item, Mark
from pipeline.store.reach import records
from pipeline.store.repository import Repository
from tests.torture.collecting import Interleaving, Step, interleavings, live_through, run
from tests.torture.turns import END

Patch = pytest.MonkeyPatch


def test_nothing_in_use_is_lost() -> None:
    counts, lost = live_through(interleavings(16, seed=1))

    assert lost == []
    assert counts["interleavings"] == 16
    assert counts["writers acknowledged"] >= 8


@pytest.mark.thorough
def test_nothing_in_use_is_lost_in_many_interleavings() -> None:
    _, lost = live_through(interleavings(200, seed=2))

    assert lost == []


# Mutants.


class WithoutSecondMark(Collection):
    """It takes what was garbage when it was first seen, and has waited: whatever became of it since."""

    def execute(self) -> Done:
        self._first = dict(self._seen)
        return super().execute()

    def _take(self, found: Mark, plan: Plan) -> list[Garbage]:
        self._seen = {**self._seen, **self._first}
        names = [name for name in self._first if name in found.view.in_place]
        found = found._replace(garbage=tuple(Garbage(name, "", "") for name in names), dead=())
        return super()._take(found, self._plan(found))


class WithoutLastLook(Collection):
    """It deletes what it took, and what lies in the trash, by what it saw before."""

    def _restore(self, found: Mark) -> list[str]:
        return []


def no_writers_guard(patch: Patch) -> None:
    patch.setattr(Repository, "_are_in_place", lambda *asked: True)


def no_promoters_guard(patch: Patch) -> None:
    patch.setattr(Registry, "_secure", lambda *asked: None)


def gives_claims_back_early(patch: Patch) -> None:
    patch.setattr(Claims, "hold", lambda *asked: None)


def believes_clocks_alone(patch: Patch) -> None:
    patch.setattr(claim, "_is_running", lambda pid, started: False)


def forgets_what_garbage_stands_on(patch: Patch) -> None:
    def look(*asked: Any) -> Iterator[Item]:
        return (item if item.is_live else item._replace(blobs=frozenset()) for item in records(*asked))

    patch.setattr(garbage, "records", look)


def changes_nothing(patch: Patch) -> None:
    """For the mutants that are a collection of their own."""


GC: list[Step] = [("gc", END), ("clock", 2)] * 3
FOUND_OUT: dict[str, tuple[type[Collection], Callable[[Patch], None], Interleaving]] = {
    "second mark": (
        WithoutSecondMark, changes_nothing,
        Interleaving(("reuses_blobs",), 0, 1, (("reuses_blobs", END), ("gc", END))),
    ),
    "last look": (
        WithoutLastLook, changes_nothing,
        Interleaving(("reuses_blobs",), 0, 0, (("clock", 2), ("gc", 8), ("reuses_blobs", END), ("gc", END))),
    ),
    "guard of commits": (
        Collection, no_writers_guard,
        Interleaving(("reuses_blobs",), 0, 0, (("reuses_blobs", 10), *GC)),
    ),
    "guard of promotions": (
        Collection, no_promoters_guard,
        Interleaving(("promotes_garbage",), -4000, 0, (("promotes_garbage", 54), *GC)),
    ),
    "claims of what was adopted": (
        Collection, gives_claims_back_early,
        Interleaving(("makes_again",), 0, 0, (("makes_again", 19), *GC)),
    ),
    "processes that live": (
        Collection, believes_clocks_alone,
        Interleaving(("reuses_blobs",), -4000, 0, (("reuses_blobs", 17), *GC)),
    ),
    "blobs under records": (
        Collection, forgets_what_garbage_stands_on,
        Interleaving(("reuses_blobs",), -4000, 1, (("reuses_blobs", 17), *GC), is_elsewhere=True),
    ),
}  # fmt: skip
"""What a mutant is without, and an interleaving by which that is found out: the stop, or one beside it, as
what is written in which order differs from process to process."""


@pytest.mark.parametrize("name", FOUND_OUT)
def test_what_leaves_a_guard_out_is_found_out(name: str, monkeypatch: Patch) -> None:
    kind, change, one = FOUND_OUT[name]
    stops = list(beside(one))
    assert [run(stop).lost for stop in stops] == [[]] * len(stops)

    change(monkeypatch)

    assert any(run(stop, kind).lost for stop in stops)


def beside(one: Interleaving) -> Iterator[Interleaving]:
    """The interleaving, and what it is when the process that is stopped is so a little earlier or later."""
    yield one
    stops = (at for at, (who, number) in enumerate(one.steps) if who != "clock" and number < END)
    for at in stops:
        who, number = one.steps[at]
        for by in (sign * by for by in range(1, 6) for sign in (1, -1)):
            yield one._replace(steps=(*one.steps[:at], (who, number + by), *one.steps[at + 1 :]))
