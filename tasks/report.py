"""`python -m tasks.report`: ten lines on the last run and the model that it left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pipeline
from pipeline.build import session as sessions
from pipeline.build.messages import shown
from pipeline.errors import HeadraceError, MissingData
from pipeline.release import configured
from pipeline.values.digest import Digest, parse_json
from tasks import TrainModel
from tasks.release import ALIAS


def lines() -> Iterator[str]:
    """The last run, the model and its quality, and what to try next."""
    run = _last_run()
    counts = run["counts"]
    bundle = pipeline.load(TrainModel())
    serving, metrics = bundle.json("serving.json"), bundle.json("metrics.json")
    yield f"run      {run['run']}: {run['status']} in {run['seconds']:.1f} s"
    yield f"built    {_built(counts)}"
    yield f"model    {Digest(serving['state']).short}, of {serving['trained_on']}"
    yield f"judged   on {serving['judged_on']}, {metrics['rows']} labelled flights"
    yield f"quality  {_quality(metrics)}"
    yield f"released {_released(bundle.digest)}"
    yield "next     . .venv/bin/activate"
    yield "         luigi --module tasks TrainModel       # again: nothing to do"
    yield "         python -m tasks.landing --correct 2013-05-06 && headrace plan TrainModel"
    yield "         headrace card TrainModel              # the model card, in a browser"


def _quality(metrics: Mapping[str, Any]) -> str:
    """The headline numbers, with their 95 % intervals and the rung below."""
    found = metrics["metrics"]
    told = [
        f"{title} {found[name]['value']:.3f} ({found[name]['low']:.3f} to {found[name]['high']:.3f})"
        for title, name in (("ROC AUC", "roc_auc"), ("log loss", "log_loss"))
    ]
    below = metrics["ladder"][0]
    return f"{', '.join(told)}; {below['name']} {below['metrics']['log_loss']['value']:.3f}"


def _released(bundle: Digest) -> str:
    """What serves, and whether that is the bundle of this run."""
    newest = configured.aliases().current(ALIAS)
    if newest is None:
        return f"bundle {bundle.short}; nothing serves as {ALIAS} yet"
    serves = "it" if newest.bundle == bundle else f"the bundle {newest.bundle.short}"
    return f"bundle {bundle.short}; {serves} serves as {ALIAS}, generation {newest.number}"


def _built(counts: dict[str, int]) -> str:
    if not counts["built"]:
        return "nothing: all of it was there already"
    return f"{counts['built']} values; {counts['found'] + counts['cut off']} days were there already"


def _last_run() -> dict[str, Any]:
    storage = sessions.current().storage
    runs = [name for name in storage.list("runs") if name.count("/") == 2 and name.endswith("/run")]
    if not runs:
        raise MissingData(f"no run yet in {storage}: `luigi --module tasks TrainModel` is one")
    found: dict[str, Any] = parse_json(storage.read(max(runs)))
    return found


def main() -> int:
    """Print the lines; an expected failure is one line and its exit code."""
    try:
        for line in lines():
            print(shown(line))
    except HeadraceError as error:
        print(shown(f"tasks.report: {error}"), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
