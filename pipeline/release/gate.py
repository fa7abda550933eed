"""The gate: a candidate's trial in a fresh process, and the verdict on it, kept with its numbers.

A verdict is *passed*, *held* (sound, but not shown to be better than what serves: a person may promote it),
*refused*, or *champion* (it is what serves already). The champion that a candidate is judged against is the
one that served at its first gate: the verdict stands, whatever serves later.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.clock import stopwatch
from pipeline.environment import describe
from pipeline.errors import HeadraceError
from pipeline.release import glance, signed, trial
from pipeline.release.aliases import Generation
from pipeline.release.budget import MEASURED
from pipeline.release.registry import Registry
from pipeline.release.trial import FINDINGS, HOLDOUT, REQUEST, Request
from pipeline.values.check import Check, Outcome
from pipeline.values.digest import canonical_json, parse_json

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.values.bundle import Bundle

Status = Literal["passed", "held", "refused", "champion"]

SECONDS = 300
MEMORY_BYTES = 8 << 30
"""What a trial may take: a candidate beyond it is refused, and takes nothing else down."""
_TRIAL = "trial"


def judge(
    registry: Registry,
    trust: Path,
    alias: str,
    candidate: Bundle,
    holdout: pa.Table,
    checks: Sequence[Check] = (),
) -> dict[str, Any]:
    """The verdict on a published candidate, kept beside the bundle.

    It is judged against what serves under an alias; at another gate, against what served at its first.
    """
    began = stopwatch()
    champion = _champion(registry, alias, candidate)
    if champion is not None and is_champion(registry, champion, candidate):
        outcomes = [Outcome("champion", "pass", None, "", "it is what serves already")]
        status, environment = "champion", describe()
    else:
        against = champion.bundle if champion else None
        request = Request(str(registry.storage), str(trust), candidate.digest, against, tuple(checks))
        outcomes, environment = try_out(request, holdout)
        status = _status(outcomes)
    verdict = {
        "bundle": candidate.digest,
        "model": candidate.json("serving.json")["state"],
        "alias": alias,
        "champion": champion.bundle if champion else None,
        "champion_generation": champion.number if champion else 0,
        "terms": glance.terms(checks),
        "status": status,
        "why": [f"{outcome.name}: {outcome.why}" for outcome in outcomes if outcome.status != "pass"],
        "outcomes": [outcome._asdict() for outcome in outcomes],
        "environment": environment,
        "seconds": round(stopwatch() - began, 3),
        "at": registry.now(),
    }
    registry.keep_verdict(candidate.digest, verdict)
    return verdict


def _champion(registry: Registry, alias: str, candidate: Bundle) -> Generation | None:
    """What served when the candidate first came to a gate: what serves now, unless it has a verdict."""
    earlier = registry.verdict(candidate.digest)
    if earlier is None:
        return registry.current(alias)
    return registry.generation(alias, earlier[1]["champion_generation"])


def is_champion(registry: Registry, champion: Generation, candidate: Bundle) -> bool:
    """Whether a candidate would answer as what serves does: the same model behind the same contract."""
    if champion.bundle == candidate.digest:
        return True
    if champion.model != candidate.json("serving.json")["state"]:
        return False
    try:
        serves = signed.read(registry.storage, champion.bundle, registry.trust)
    except HeadraceError:
        return False  # damaged: the trial says so
    return all(serves.files[name] == candidate.files[name] for name in ("serving.json", "contract.json"))


def try_out(request: Request, holdout: pa.Table) -> tuple[list[Outcome], dict[str, Any]]:
    """The findings of a trial in a fresh process, within its limits of time and memory, and where it ran."""
    from pipeline.values.table import write_table

    with tempfile.TemporaryDirectory(prefix="headrace-gate-") as name:
        folder = Path(name)
        (folder / REQUEST).write_bytes(canonical_json(trial.request_fields(request)))
        (folder / HOLDOUT).write_bytes(write_table(holdout))
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pipeline.release.trial", name],
                capture_output=True, timeout=SECONDS, preexec_fn=_limit, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [_broke(f"the trial took more than {SECONDS} s")], describe()
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no word"]
            return [_broke(f"the trial ended with {done.returncode}: {last[0]}")], describe()
        found = parse_json((folder / FINDINGS).read_bytes())  # what it prints may be the model's
    return [Outcome(**fields) for fields in found["outcomes"]], found["environment"]


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _broke(why: str) -> Outcome:
    return Outcome(_TRIAL, "fail", None, "ends by itself", why)


def _status(outcomes: Sequence[Outcome]) -> Status:
    worst = {outcome.status for outcome in outcomes}
    if "fail" in worst:
        return "refused"
    return "held" if "warn" in worst else "passed"


def is_final(verdict: Mapping[str, Any], checks: Sequence[Check] = ()) -> bool:
    """Whether a trial would find the same again.

    Not by other bounds; and not where time, memory or damage in the store alone spoke against.
    """
    failed = {outcome["name"] for outcome in verdict["outcomes"] if outcome["status"] == "fail"}
    is_chance = bool(failed) and failed <= {_TRIAL, "files", "signature", *MEASURED}
    return not is_chance and verdict.get("terms") == glance.terms(checks)


def refusals(verdict: Mapping[str, Any]) -> str:
    """The checks that failed, by name, with what was seen."""
    failed = [f"{o['name']}: {o['why']}" for o in verdict["outcomes"] if o["status"] == "fail"]
    return "; ".join(failed)
