"""A candidate on trial, in a process of its own: it is verified, loaded, asked and timed as a service would.

Nothing that the candidate says of itself is taken for granted: its quality is computed anew, through the road
on which it would serve, from held-out rows that the trial is given. Every finding is a check's outcome.
`python -m pipeline.release.trial FOLDER` reads `request.json` there and writes `findings.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.environment import describe
from pipeline.errors import BundleDamaged, HeadraceError, NotReplayed, Untrusted
from pipeline.model.binary import BILLION
from pipeline.model.compare import LEVEL, MIN_DAYS, compare
from pipeline.model.estimate import estimates
from pipeline.model.problem import Problem
from pipeline.release import budget, compatible, golden, served, signed
from pipeline.release.budget import Budget
from pipeline.release.served import Served
from pipeline.release.signing import Trust
from pipeline.store.remote import open_storage
from pipeline.store.storage import Storage
from pipeline.values.check import Check, Outcome, Status
from pipeline.values.digest import Digest, canonical_json, parse_json

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.model.scores import Scores
    from pipeline.values.bundle import Bundle

SLICE_SHARE = 0.01
"""A slice may lose this share of the champion's loss a row before a candidate is refused for it."""
REQUEST, HOLDOUT, FINDINGS = "request.json", "holdout.parquet", "findings.json"


@dataclass(frozen=True)
class Request:
    """What a trial is about: two bundles of one store, and the bounds that the release declares."""

    store: str
    trust: str
    candidate: Digest
    champion: Digest | None
    checks: tuple[Check, ...]


class _Stop(Exception):
    """A finding after which nothing more can be tried."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


def find(request: Request, holdout: pa.Table) -> Iterator[Outcome]:
    """Try the candidate, and give a finding after the other, up to the first that ends all trying."""
    storage, trust = open_storage(request.store), Trust.load(Path(request.trust))
    try:
        bundle = _taken(storage, request.candidate, trust)
        yield _passed("signature", "a trusted key signed it, and every file is as its manifest says")
        problem = _problem(bundle)
        yield _split(bundle, holdout, problem)
        before_mb = budget.peak_mb()
        candidate, load_ms = _loaded(bundle)
        yield from _honest(candidate, bundle, holdout)
        yield from _within_budget(candidate, bundle, holdout, load_ms, before_mb)
        yield from _no_leak(candidate, holdout, problem)
        days = problem.scores_by_day(candidate.predict(holdout), holdout)
        yield from _as_claimed(bundle, days, request.checks)
        if request.champion is not None:
            try:
                champion = signed.read(storage, request.champion, trust)
                yield from _against_champion(champion, candidate, days, holdout, problem)
            except Exception as error:  # whatever another version of a library sets off
                told = f"it can't be compared with: {type(error).__name__}: {error}"
                yield Outcome("champion", "warn", None, "can be asked", told)
    except _Stop as stop:
        yield stop.outcome


# One check after the other.


def _taken(storage: Storage, bundle: Digest, trust: Trust) -> Bundle:
    try:
        return signed.read(storage, bundle, trust)
    except Untrusted as error:
        raise _Stop(_failed("signature", str(error))) from None
    except BundleDamaged as error:
        raise _Stop(_failed("files", str(error))) from None


def _problem(bundle: Bundle) -> Problem:
    fields = bundle.json("serving.json")["problem"]
    return Problem(**{**fields, "slices": tuple(fields["slices"]), "classes": tuple(fields["classes"])})


def _split(bundle: Bundle, holdout: pa.Table, problem: Problem) -> Outcome:
    """A model is judged on days that come after all that it has learnt from."""
    import pyarrow.compute as pc

    learnt_until = date.fromisoformat(bundle.json("serving.json")["learnt_until"])
    first = pc.min(holdout[problem.day]).as_py()
    told = f"it learnt from days before {learnt_until}, and is judged from {first} on"
    return _passed("split", told) if first and first >= learnt_until else _failed("split", told)


def _loaded(bundle: Bundle) -> tuple[Served, float]:
    from pipeline.values.model import digest_model

    try:
        found = served.load(bundle)  # and the libraries, which a service has imported before
    except HeadraceError as error:
        raise _Stop(_failed("load", str(error))) from None
    state, promised = digest_model(found.model), bundle.json("serving.json")["state"]
    if state != promised:  # what bars a model, and knows a champion, goes by it
        raise _Stop(_failed("load", f"its state is {state.short}, its manifest says {promised}"))
    return found, budget.least_ms(lambda: served.load(bundle))


def _honest(candidate: Served, bundle: Bundle, holdout: pa.Table) -> Iterator[Outcome]:
    """The model answers as when it was made, and the same whenever and in whatever company it is asked."""
    import numpy as np

    rows = golden.rows_of(bundle.json("golden.json"), candidate.contract)
    tolerance = float(bundle.json("serving.json")["tolerance"])
    once, again = candidate.predict(rows), candidate.predict(rows)
    alone = np.concatenate([candidate.predict([row]) for row in rows[:32]])
    apart = [float(np.abs(once - again).max()), float(np.abs(once[:32] - alone).max())]
    allowed = max(tolerance, 1e-12) * max(1.0, float(np.abs(once).max()))
    if _differ(apart, allowed):
        told = f"asked twice, predictions differ by up to {apart[0]:g}; asked one by one, by {apart[1]:g}"
        raise _Stop(_failed("determinism", f"{told}; at most {allowed:g} is rounding"))
    yield _passed("determinism", "asked twice and row by row, it says the same")
    try:
        served.prove(candidate, bundle)
    except NotReplayed as error:
        yield _failed("golden rows", str(error))
    else:
        yield _passed("golden rows", f"{len(rows)} rows are predicted as when it was made")


def _differ(apart: list[float], allowed: float) -> bool:
    """Whether one of some distances is more than rounding; a NaN is more than anything."""
    return not all(each <= allowed for each in apart)


def _within_budget(
    candidate: Served, bundle: Bundle, holdout: pa.Table, load_ms: float, before_mb: float
) -> Iterator[Outcome]:
    [row] = golden.rows_of(bundle.json("golden.json"), candidate.contract)[:1]
    batch = holdout.slice(0, budget.BATCH_ROWS)
    measured = {
        "size_mb": sum(map(len, bundle.files.values())) / 1e6,
        "load_ms": load_ms,
        "row_ms": budget.least_ms(lambda: candidate.predict([row]), calls=50),
        "batch_ms": budget.least_ms(lambda: candidate.predict(batch)) * budget.BATCH_ROWS / batch.num_rows,
    }
    measured["memory_mb"] = budget.peak_mb() - before_mb
    yield from Budget(**bundle.json("budget.json")).outcomes(measured)


def _no_leak(candidate: Served, holdout: pa.Table, problem: Problem) -> Iterator[Outcome]:
    from pipeline.model.leaks import single_auc

    if problem.kind != "binary" or len(holdout[problem.day].unique()) < MIN_DAYS:
        return  # one storm explains too much of a few days
    names = [c.name for c in candidate.contract.columns if c.type in ("int32", "int64", "float64", "bool")]
    found = single_auc(problem.labelled(holdout), problem.label, names)
    worst = max(found, key=lambda name: found[name], default=None)
    if worst is not None:
        yield Check(f"leak ({worst} alone)", high=problem.leak_auc).apply(found[worst])


def _as_claimed(bundle: Bundle, days: Mapping[date, Scores], checks: tuple[Check, ...]) -> Iterator[Outcome]:
    """What the evaluation says is of this model and these rows, and keeps the bounds."""
    claimed = bundle.json("metrics.json")
    found = {name: estimate.value for name, estimate in estimates(days).items()}
    said = {name: each["value"] for name, each in claimed["metrics"].items()}
    wrong = [
        f"{name} is {value}, the evaluation says {said.get(name)}"
        for name, value in found.items()
        if not _close(value, said.get(name))
    ]
    if claimed["model"] != bundle.json("serving.json")["state"]:
        wrong.insert(0, "it was made of another model")
    if wrong:
        yield _failed("evaluation", f"the evaluation is stale: {'; '.join(wrong[:3])}")
    else:
        yield _passed("evaluation", "judged anew, it has the quality that its evaluation says")
    if "roc_auc" in found:
        yield Check("roc_auc", low=0.5).apply(found["roc_auc"])  # below, it ranks backwards
    yield from (check.apply(found.get(check.name)) for check in checks)
    yield from _ladder(claimed)


def _ladder(claimed: Mapping[str, Any]) -> Iterator[Outcome]:
    """A model that is no better than a simpler one is not worth what it costs to understand."""
    for rung in claimed["ladder"]:
        margin = rung["margin"]
        yield _compared(f"beats {rung['name']}", margin["verdict"], margin, strict=True)


def _close(found: float | None, claimed: float | None) -> bool:
    if found is None or claimed is None:
        return found is claimed
    return abs(found - claimed) <= 1e-6 * max(1.0, abs(claimed))


def _against_champion(
    champion: Bundle, candidate: Served, days: Mapping[date, Scores], holdout: pa.Table, problem: Problem
) -> Iterator[Outcome]:
    """The contract takes what the champion's takes, and the losses on the same rows are compared.

    On days that neither has learnt from: a champion that has seen some of them would seem better than it is.
    """
    import pyarrow.compute as pc

    old = served.load(champion)
    narrowed = list(compatible.narrower(old.contract, candidate.contract))
    if old.kind != candidate.kind:
        narrowed.insert(0, f"it answers as {candidate.kind}, the champion as {old.kind}")
    if narrowed:
        yield _failed("contract", "; ".join(narrowed))
        return
    yield _passed("contract", "it takes every row that the champion takes")
    served.prove(old, champion)  # one that answers otherwise here is no measure
    seen = date.fromisoformat(champion.json("serving.json")["learnt_until"])
    unseen = holdout.filter(pc.greater_equal(holdout[problem.day], seen))
    before = problem.scores_by_day(old.predict(unseen), unseen) if unseen.num_rows else {}
    after = {day: days[day] for day in before}
    found = compare(before, after)
    yield _compared("champion", found.verdict, found.fields())
    yield from _slices(before, after, problem)


def _compared(name: str, verdict: str, found: Mapping[str, Any], strict: bool = False) -> Outcome:
    """Better passes and worse fails; no difference is for a person to decide, or with `strict` fails too."""
    undecided: Status = "fail" if strict and verdict == "no difference" else "warn"
    status: Status = {"better": "pass", "worse": "fail"}.get(verdict, undecided)  # type: ignore[assignment]
    interval = "" if found["low"] is None else f" ({found['low']:.3g} to {found['high']:.3g})"
    saved = (
        "nothing to compare"
        if found["value"] is None
        else f"saves {found['value']:.3g}{interval} of loss a row"
    )
    why = f"{verdict}: {saved}, {found['days']} days"
    return Outcome(name, status, found["value"], "above 0 with its interval", why)


def _slices(
    before: Mapping[date, Scores], days: Mapping[date, Scores], problem: Problem
) -> Iterator[Outcome]:
    """No slice may lose much against the champion.

    The level is shared among the slices (Bonferroni), and a loss must matter: a tiny one can be certain.
    """
    names = sorted({name for scores in days.values() for name in scores.slices if name})
    worse = {}
    for name in names:
        found = compare(before, days, name, LEVEL / len(names))
        lost = -(found.difference.value or 0.0)
        if found.verdict == "worse" and lost > SLICE_SHARE * _loss(before, name):
            worse[name] = lost
    if worse:
        worst = max(worse, key=lambda name: worse[name])
        yield _failed(
            "slices",
            f"{len(worse)} of {len(names)} lose more than {SLICE_SHARE:.0%} of the champion's loss, "
            f"most of all {worst}: {worse[worst]:.3g} a row",
        )
    elif names:
        yield _passed("slices", f"none of {len(names)} is worse than under the champion")


def _loss(days: Mapping[date, Scores], name: str) -> float:
    """The mean loss a row of a slice."""
    parts = [scores.slices[name] for scores in days.values() if name in scores.slices]
    return sum(part.loss for part in parts) / BILLION / max(sum(part.rows for part in parts), 1)


def _passed(name: str, why: str) -> Outcome:
    return Outcome(name, "pass", None, "holds", why)


def _failed(name: str, why: str) -> Outcome:
    return Outcome(name, "fail", None, "holds", why)


# The process.


def request_fields(request: Request) -> dict[str, Any]:
    """A request as JSON."""
    return {**asdict(request), "checks": [asdict(check) for check in request.checks]}


def main(folder: Path) -> None:
    """Read the request, try the candidate, write the findings beside it."""
    from pipeline.values.table import read_table

    fields = parse_json((folder / REQUEST).read_bytes())
    champion = Digest(fields["champion"]) if fields["champion"] else None
    checks = tuple(Check(**check) for check in fields["checks"])
    request = Request(fields["store"], fields["trust"], Digest(fields["candidate"]), champion, checks)
    outcomes = [outcome._asdict() for outcome in find(request, read_table((folder / HOLDOUT).read_bytes()))]
    (folder / FINDINGS).write_bytes(canonical_json({"outcomes": outcomes, "environment": describe()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
