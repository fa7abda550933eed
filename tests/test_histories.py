"""After any history a run is correct, minimal and explained; and who decided wrongly would be found out.

Days arrive, are corrected, withdrawn and dropped again; code is edited and reverted, parameters change;
values, records and caches vanish or are damaged; runs are cut short, and others run meanwhile. After each
night a run must end as one in an empty store does, have built what was missing of that, and say why.

`HISTORIES` says how many are lived, `HISTORIES_SEED` which: without it, the same ones in every run. The wrong
deciders are here so that nobody has to believe that these laws would notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase

from pipeline.build import fingerprints, inputs, landing, merging, tree
from pipeline.build.action import Action
from pipeline.build.inputs import Input
from pipeline.build.outcome import Seen
from pipeline.code.fingerprint import Code, CodeCache, root_name
from pipeline.code.signature import of_status
from pipeline.store import aside, inspection, mending
from pipeline.values.digest import Digest, digest_value
from tests.histories import Step
from tests.living import COUNT, Histories, life_in

Patch = pytest.MonkeyPatch


@pytest.fixture
def histories(tmp_path: Path) -> Iterator[Histories]:
    with life_in(tmp_path / "world") as life:
        yield Histories(life)


def test_after_any_history_a_run_is_correct_minimal_and_explained(histories: Histories) -> None:
    histories.live_many()


@pytest.mark.parametrize("step", [2, 3, 5])
def test_nodes_that_are_lost_stop_nothing_though_what_lies_above_them_names_them(
    histories: Histories, step: int
) -> None:
    lost: list[Step] = [("lose", "cache/stages", number) for number in range(0, 100, step - 1)]
    histories.live([[*lost, ("sell", "2012-12-30", 1)]])


# Wrong deciders.


def trusts_times_and_sizes(patch: Patch) -> None:
    """A file that was replaced by one of the same size and time counts as unchanged."""

    def signature(path: str) -> tuple[int, ...] | None:
        found = landing.signature(path)
        return found and (*found[:2], 0, 0)

    patch.setattr(fingerprints, "signature", signature)
    patch.setattr(fingerprints, "of_status", lambda status: (*of_status(status)[:2], 0, 0))


def forgets_helpers(patch: Patch) -> None:
    """Code is that of the task's class alone."""
    whole = CodeCache.identify

    def identify(self: CodeCache, roots: Any) -> Code:
        code, own = whole(self, roots), [root_name(root) for root in roots]
        return code._replace(parts={name: text for name, text in code.parts.items() if name in own})

    patch.setattr(CodeCache, "identify", identify)


def forgets_what_aggregates_do(patch: Patch) -> None:
    """The class of the values of an input is no part of what consumes them."""
    patch.setattr("pipeline.build.session.Session.declared_result", lambda self, cls, method: None)


def skips_the_cutoff(patch: Patch) -> None:
    """Inputs enter a key by what made them, and not by what they hold."""

    def key(self: Action) -> Digest:
        made_by = {
            name: {label: str(outcome.key) for label, outcome in seen.outcomes.items()}
            for name, seen in self.inputs.items()
        }
        return digest_value(
            [self.task, self.step, self.partition, self.code, dict(self.parameters), made_by, self.file]
        )

    patch.setattr(Action, "key", property(key))


def forgets_how_inputs_are_asked_for(patch: Patch) -> None:
    """Neither the window nor what becomes of failed days decides what is remembered of a node."""
    patch.setattr(Input, "manner", lambda self: [])


def forgets_what_a_fold_goes_on_from(patch: Patch) -> None:
    """A link of a fold fits whatever state was left before it."""
    whole = Seen.digests
    patch.setattr(Seen, "digests", lambda self: {} if self.task.endswith(" state") else whole(self))


def takes_what_failed_for_complete(patch: Patch) -> None:
    """What failed is remembered as if nothing were left to do."""
    patch.setattr(tree, "is_complete", lambda outcomes: True)
    for module in (inputs, merging):
        whole = module.below
        patch.setattr(module, "below", lambda *asked, whole=whole: whole(*asked)._replace(complete=True))


def remembers_by_the_label(patch: Patch) -> None:
    """A month is remembered under its label, whatever lies below it."""
    patch.setattr(
        "pipeline.build.growth.Growth._key",
        lambda self, label, dates, below: digest_value([*self._common, label, str(dates)]),
    )


def heals_what_is_whole(patch: Patch) -> None:
    """Whatever is read counts as damaged."""
    patch.setattr(inspection, "wrong", lambda *asked, is_read: "it is odd" if is_read else "")
    patch.setattr(aside, "is_sound", lambda *asked: False)


def heals_nothing(patch: Patch) -> None:
    """Damage is named, and stays where it is."""
    patch.setattr(mending, "mend", lambda *asked: False)


FOUND_OUT: dict[Callable[[Patch], None], list[list[Step]]] = {
    trusts_times_and_sizes: [[("sell", "2013-01-01", 0)]],
    forgets_helpers: [[("edit", "at_least")]],
    forgets_what_aggregates_do: [[("edit", "Counts")]],
    skips_the_cutoff: [[("sell_in_other_order", "2013-01-01", 2)]],
    forgets_what_a_fold_goes_on_from: [[("sell", "2012-12-31", 0)]],
    forgets_how_inputs_are_asked_for: [[("edit", "DAYS")]],
    takes_what_failed_for_complete: [[("spoil", "sales/2013-01-01.csv")], [("repair",)]],
    remembers_by_the_label: [[("sell", "2013-01-01", 0)]],
    heals_what_is_whole: [[("heal", "--full")]],
    heals_nothing: [[("heal_after", [("flip", "records", 0)], "--full")]],
}
"""Who decides wrongly, and a history by which that is found out."""

WRONG = pytest.mark.parametrize("decide", FOUND_OUT, ids=lambda decide: decide.__name__)


@pytest.fixture
def misled(decide: Callable[[Patch], None], tmp_path: Path, monkeypatch: Patch) -> Iterator[Histories]:
    with life_in(tmp_path / "world") as life:
        decide(monkeypatch)
        yield Histories(life)


@WRONG
def test_who_decides_wrongly_is_found_out(decide: Callable[[Patch], None], misled: Histories) -> None:
    with pytest.raises(AssertionError):
        misled.live(FOUND_OUT[decide])


@WRONG
@pytest.mark.skipif(COUNT < 500, reason="takes a minute each: `make check` does it")
def test_drawn_histories_find_out_who_decides_wrongly(misled: Histories) -> None:
    with pytest.raises(AssertionError):
        misled.live_many(COUNT, (Phase.generate,))


@WRONG
def test_what_finds_out_who_decides_wrongly_is_right(
    decide: Callable[[Patch], None], histories: Histories
) -> None:
    histories.live(FOUND_OUT[decide])
