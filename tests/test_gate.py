"""The gate's self-test: bad candidates are planted, and each is refused by the check that it is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest

from pipeline.errors import DataError
from pipeline.release import gate, glance, served, trial
from pipeline.release.budget import MEASURED, Budget
from pipeline.release.registry import Registry
from pipeline.release.trial import Request, find
from pipeline.store.repository import blob_name
from pipeline.values.bundle import Bundle
from pipeline.values.check import Check
from pipeline.values.contract import Column, Contract
from pipeline.values.digest import Digest, canonical_json, digest_bytes
from pipeline.values.model import digest_model, dump_model
from tests import released
from tests.released import ALIAS, CONTRACT, CUT

HOLDOUT = released.rows()
TRAIN = released.rows(days=60, start=CUT.replace(month=1), seed=2)


@dataclass
class Candidates:
    """What stands at the gate: an online store with a champion, and a sound candidate."""

    registry: Registry
    folder: Path
    champion: Bundle
    sound: Bundle

    def findings(
        self, candidate: Bundle | Digest, holdout: pa.Table = HOLDOUT, checks: Any = ()
    ) -> dict[str, str]:
        """The trial's findings on a candidate by check, in this process."""
        digest = self.registry.publish(candidate) if isinstance(candidate, Bundle) else candidate
        request = Request(
            str(self.registry.storage),
            str(released.trusted(self.folder)),
            digest,
            self.champion.digest,
            checks,
        )
        return {outcome.name: outcome.status for outcome in find(request, holdout)}


@pytest.fixture(scope="module")
def models() -> Mapping[str, Any]:
    from sklearn.linear_model import LogisticRegression

    return {"sound": released.fit(TRAIN), "weak": released.fit(TRAIN, LogisticRegression(C=0.001))}


@pytest.fixture(scope="module")
def bundles(models: Mapping[str, Any]) -> Mapping[str, Bundle]:
    return {name: released.bundle(model, HOLDOUT) for name, model in models.items()}


@pytest.fixture
def at(tmp_path: Path, bundles: Mapping[str, Bundle]) -> Candidates:
    """The champion is sound but shy, so that the candidate is better."""
    registry = released.registry(tmp_path)
    registry.publish(bundles["weak"])
    return Candidates(registry, tmp_path, bundles["weak"], bundles["sound"])


def failed(findings: Mapping[str, str]) -> set[str]:
    return {name for name, status in findings.items() if status == "fail"}


def test_a_sound_and_better_candidate_passes_every_check(at: Candidates) -> None:
    found = at.findings(at.sound, checks=(Check("roc_auc", low=0.6),))

    assert set(found.values()) == {"pass"}
    assert set(found) >= {
        "signature", "split", "determinism", "golden rows", "size_mb", "load_ms", "row_ms", "batch_ms",
        "memory_mb", "evaluation", "roc_auc", "beats constant", "contract", "champion", "slices",
    }  # fmt: skip


def test_a_candidate_that_is_worse_than_the_champion_is_refused(
    at: Candidates, models: Mapping[str, Any]
) -> None:
    at.champion, at.sound = at.sound, at.champion
    at.registry.publish(at.champion)

    assert failed(at.findings(at.sound)) == {"champion", "slices"}


def test_a_candidate_that_is_as_good_is_held(at: Candidates) -> None:
    from sklearn.linear_model import LogisticRegression

    at.champion = released.bundle(released.fit(TRAIN, LogisticRegression(C=1.01)), HOLDOUT)
    at.registry.publish(at.champion)

    found = at.findings(at.sound)

    assert not failed(found)
    assert found["champion"] == "warn"


def test_a_champion_is_not_compared_on_days_that_it_has_learnt_from(at: Candidates) -> None:
    at.champion = released.learnt_until(at.champion, CUT.replace(day=25))
    at.registry.publish(at.champion)

    assert at.findings(at.sound)["champion"] == "warn"  # six days are left, which is not enough data

    at.champion = released.learnt_until(at.champion, date(2014, 1, 1))
    at.registry.publish(at.champion)

    assert at.findings(at.sound)["champion"] == "warn"


def test_a_champion_that_cannot_be_read_leaves_the_decision_to_a_person(at: Candidates) -> None:
    blob = blob_name(digest_bytes(at.champion.files["model.skops"]))
    at.registry.storage.delete([blob])

    found = at.findings(at.sound)

    assert not failed(found)
    assert found["champion"] == "warn"


def test_a_champion_that_does_not_replay_here_is_no_measure(at: Candidates) -> None:
    golden = at.champion.json("golden.json")
    golden["predictions"][3] += 1e-3
    at.champion = released.with_json(at.champion, "golden.json", golden)
    at.registry.publish(at.champion)

    found = at.findings(at.sound)

    assert not failed(found)
    assert found["champion"] == "warn"


def test_a_model_that_answers_otherwise_than_the_champion_breaks_its_contract(
    at: Candidates, models: Mapping[str, Any]
) -> None:
    serving = {**at.champion.json("serving.json"), "kind": "classes"}
    at.champion = released.with_json(at.champion, "serving.json", serving)
    at.registry.publish(at.champion)

    assert failed(at.findings(at.sound)) == {"contract"}


def test_few_days_are_not_enough_data(at: Candidates, models: Mapping[str, Any]) -> None:
    few = released.rows(days=5)

    found = at.findings(released.bundle(models["sound"], few), few)

    assert not failed(found)
    assert (found["champion"], found["beats constant"]) == ("warn", "warn")


def test_a_leaking_feature_is_found_alone(at: Candidates) -> None:
    contract = Contract(columns=(*CONTRACT.columns, Column("hint", "float64")))

    def hinted(table: pa.Table) -> pa.Table:
        noise = np.random.Generator(np.random.PCG64(3)).normal(0, 0.2, table.num_rows)
        return table.append_column("hint", pa.array(table["came"].to_numpy(zero_copy_only=False) + noise))

    model = released.fit(hinted(TRAIN), contract=contract)

    found = at.findings(released.bundle(model, hinted(HOLDOUT), contract), hinted(HOLDOUT))

    assert failed(found) == {"leak (hint alone)", "contract"}  # nor can callers give it a hint


def test_a_model_that_learnt_from_what_judges_it_is_found(at: Candidates) -> None:
    late = released.learnt_until(at.sound, CUT.replace(day=2))

    assert failed(at.findings(late)) == {"split"}


def test_an_evaluation_of_another_model_is_stale(at: Candidates, models: Mapping[str, Any]) -> None:
    stale = released.bundle(models["weak"], HOLDOUT, judged=models["sound"])

    assert "evaluation" in failed(at.findings(stale))


def test_an_evaluation_of_other_rows_is_stale(at: Candidates) -> None:
    assert "evaluation" in failed(at.findings(at.sound, released.rows(seed=7)))


def test_swapped_labels_rank_backwards(at: Candidates) -> None:
    swapped = TRAIN.set_column(
        TRAIN.column_names.index("came"), "came", pa.array(~TRAIN["came"].to_numpy(zero_copy_only=False))
    )

    assert "roc_auc" in failed(at.findings(released.bundle(released.fit(swapped), HOLDOUT)))


def test_a_contract_that_takes_less_is_refused(at: Candidates, models: Mapping[str, Any]) -> None:
    narrow = Contract(
        columns=(CONTRACT.columns[0], replace(CONTRACT.columns[1], high=9.5), CONTRACT.columns[2])
    )

    assert failed(at.findings(released.bundle(models["sound"], HOLDOUT, narrow))) == {"contract"}


@pytest.mark.parametrize("limit", ["size_mb", "load_ms", "row_ms", "batch_ms"])
def test_what_costs_more_than_declared_is_refused(at: Candidates, limit: str) -> None:
    narrow = released.with_json(at.sound, "budget.json", replace(Budget(), **{limit: 1e-6}).fields())

    assert failed(at.findings(narrow)) == {limit}


def test_damage_is_found_before_anything_is_parsed(at: Candidates) -> None:
    at.registry.publish(at.sound)
    model = blob_name(digest_bytes(at.sound.files["model.skops"]))
    at.registry.storage.replace(model, at.sound.files["model.skops"][:-1] + b"x")

    assert at.findings(at.sound.digest) == {"files": "fail"}


def test_what_nobody_signed_is_refused(at: Candidates) -> None:
    digest = at.registry.publish(at.sound)
    at.registry.storage.delete(list(at.registry.storage.list(glance.signatures(digest))))

    assert at.findings(digest) == {"signature": "fail"}


def test_what_a_stranger_signed_is_refused(at: Candidates, tmp_path: Path) -> None:
    stranger = released.registry(tmp_path / "stranger", at.registry.storage)

    assert at.findings(stranger.publish(at.sound)) == {"signature": "fail"}


def test_a_model_of_another_state_than_its_manifest_says_is_refused(at: Candidates) -> None:
    other = {**at.sound.json("serving.json"), "state": "sha256:" + "0" * 64}

    assert failed(at.findings(released.with_json(at.sound, "serving.json", other))) == {"load"}


def test_golden_rows_that_do_not_replay_are_refused(at: Candidates) -> None:
    golden = at.sound.json("golden.json")
    golden["predictions"][3] += 1e-6

    assert failed(at.findings(released.with_json(at.sound, "golden.json", golden))) == {"golden rows"}


def test_a_model_that_answers_by_chance_is_refused(at: Candidates) -> None:
    from sklearn.dummy import DummyClassifier

    chance = released.fit(TRAIN, DummyClassifier(strategy="stratified"))

    assert failed(at.findings(released.bundle(chance, HOLDOUT))) == {"determinism"}


def without_numbers(sound: Bundle) -> Bundle:
    """The bundle of a model that was spoilt after it had been judged: it predicts NaN."""
    model = served.load(sound).model
    model[-1].intercept_[:] = np.nan
    serving = {**sound.json("serving.json"), "state": digest_model(model)}
    files = {**sound.files, "model.skops": dump_model(model), "serving.json": canonical_json(serving)}
    return replace(sound, files=files)


def test_a_model_that_predicts_no_numbers_is_refused(at: Candidates) -> None:
    assert at.findings(without_numbers(at.sound)) == {
        "signature": "pass", "split": "pass", "determinism": "fail",
    }  # fmt: skip


def test_a_bound_that_the_release_declares_is_held(at: Candidates) -> None:
    assert failed(at.findings(at.sound, checks=(Check("roc_auc", low=0.99),))) == {"roc_auc"}


# The verdict, through a process of its own.


def judge(at: Candidates, candidate: Bundle) -> dict[str, Any]:
    at.registry.publish(candidate)
    return gate.judge(at.registry, released.trusted(at.folder), ALIAS, candidate, HOLDOUT)


def test_the_verdict_is_kept_with_its_numbers_and_names_the_champion(at: Candidates) -> None:
    first = judge(at, at.champion)
    at.registry.promote(ALIAS, at.champion.digest, "the first", 0)
    verdict = judge(at, at.sound)

    assert (first["status"], first["champion"], first["champion_generation"]) == ("passed", None, 0)
    assert (verdict["status"], verdict["champion"]) == ("passed", at.champion.digest)
    assert verdict["champion_generation"] == 1
    [saved] = [o["observed"] for o in verdict["outcomes"] if o["name"] == "champion"]
    assert saved > 0
    assert verdict["environment"]["blas"]
    assert at.registry.verdict(at.sound.digest) == (f"verdicts/{at.sound.digest.hex}/1", verdict)


def test_the_champion_itself_needs_no_trial(at: Candidates) -> None:
    at.registry.keep_verdict(at.champion.digest, dict(released.passed(at.champion)))
    at.registry.promote(ALIAS, at.champion.digest, "the first", 0)
    card = released.with_json(at.champion, "card.json", {"told": "in other words"})

    assert judge(at, card)["status"] == "champion"


def test_a_candidate_that_takes_too_much_memory_takes_nothing_else_down(
    at: Candidates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "MEMORY_BYTES", 300 << 20)

    verdict = judge(at, at.sound)

    assert verdict["status"] == "refused"
    assert verdict["why"][0].startswith("trial: the trial ended with ")


def test_a_candidate_that_takes_too_long_is_refused(at: Candidates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "SECONDS", 0.2)

    assert judge(at, at.sound)["why"] == ["trial: the trial took more than 0.2 s"]


def test_what_time_and_memory_alone_spoke_against_is_tried_again_against_the_same_champion(
    at: Candidates, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge(at, at.champion)
    at.registry.promote(ALIAS, at.champion.digest, "the first", 0)
    with monkeypatch.context() as hurried:
        hurried.setattr(gate, "SECONDS", 0.2)
        first = judge(at, at.sound)
    at.registry.promote(
        ALIAS, released.judged(at.registry, released.wrapped(at.champion, "again")), "again", 1
    )

    again = judge(at, at.sound)

    assert (first["status"], gate.is_final(first)) == ("refused", False)
    assert (again["status"], gate.is_final(again)) == ("passed", True)
    assert again["champion_generation"] == first["champion_generation"] == 1


def test_other_bounds_are_judged_by_again(at: Candidates) -> None:
    verdict = judge(at, at.sound)

    assert gate.is_final(verdict)
    assert not gate.is_final(verdict, (Check("roc_auc", low=0.99),))


@pytest.mark.parametrize("check", ["trial", "files", "signature", *MEASURED])
def test_what_says_nothing_of_the_model_is_not_final(check: str) -> None:
    """Damage is mended, a key is trusted later, and another machine has more room: the gate tries again."""

    def verdict(*failed: str) -> dict[str, Any]:
        outcomes = [{"name": name, "status": "fail"} for name in failed]
        return {"outcomes": outcomes, "terms": glance.terms(())}

    assert not gate.is_final(verdict(check))
    assert gate.is_final(verdict(check, "roc_auc"))


def test_what_a_check_of_the_model_refused_is_not_tried_again(
    at: Candidates, models: Mapping[str, Any]
) -> None:
    assert gate.is_final(judge(at, released.bundle(models["weak"], HOLDOUT, judged=models["sound"])))


# Mutants: without its check, the planted candidate would pass.


def test_who_only_looks_for_large_distances_sees_no_nan(
    at: Candidates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_differ", lambda apart, allowed: any(each > allowed for each in apart))

    with pytest.raises(DataError):  # it goes on, and the gate takes what then breaks for chance
        at.findings(without_numbers(at.sound))


@pytest.mark.parametrize(
    ("check", "planted"),
    [
        ("_split", lambda m: released.learnt_until(released.bundle(m["sound"], HOLDOUT), CUT.replace(day=2))),
        ("_as_claimed", lambda m: released.bundle(m["sound"], HOLDOUT, judged=m["weak"])),
    ],
)
def test_without_its_check_a_planted_candidate_would_pass(
    at: Candidates,
    models: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    check: str,
    planted: Callable[[Mapping[str, Any]], Bundle],
) -> None:
    from pipeline.values.check import Outcome

    skipped = Outcome(check, "pass", None, "", "")
    candidate = planted(models)
    assert failed(at.findings(candidate))

    monkeypatch.setattr(trial, check, lambda *_: skipped if check == "_split" else iter(()))

    assert not failed(at.findings(candidate))
