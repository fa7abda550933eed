"""`python -m tasks.report`: ten lines on the last run and the model that it left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pipeline
from pipeline.build import session as sessions
from pipeline.errors import HeadraceError
from pipeline.values.digest import Digest, parse_json
from tasks import TrainModel


def lines() -> Iterator[str]:
    """The last run, the model and its quality, and what to try next."""
    run = _last_run()
    counts = run["counts"]
    report = pipeline.load(TrainModel())
    quality = report["quality"]
    yield f"run      {run['run']}: {run['status']} in {run['seconds']:.1f} s"
    yield f"built    {_built(counts)}"
    yield f"model    {Digest(report['model']).short}, of {report['trained_on']}"
    yield f"judged   on {report['judged_on']}, {quality['labelled']} labelled flights"
    yield f"quality  ROC AUC {quality['roc_auc']:.3f}, average precision {quality['average_precision']:.3f}"
    constant = quality["constant_log_loss"]
    yield f"         log loss {quality['log_loss']:.3f} (the best constant: {constant:.3f})"
    yield "next     . .venv/bin/activate"
    yield "         luigi --module tasks TrainModel       # again: nothing to do"
    yield "         python -m tasks.landing --correct 2013-05-06 && headrace plan TrainModel"
    yield "         headrace show TrainModel              # what made this model"


def _built(counts: dict[str, int]) -> str:
    if not counts["built"]:
        return "nothing: all of it was there already"
    return f"{counts['built']} values; {counts['found'] + counts['cut off']} days were there already"


def _last_run() -> dict[str, Any]:
    storage = sessions.current().storage
    runs = [name for name in storage.list("runs") if name.count("/") == 2 and name.endswith("/run")]
    found: dict[str, Any] = parse_json(storage.read(max(runs)))
    return found


def main() -> int:
    """Print the lines; an expected failure is one line and its exit code."""
    try:
        for line in lines():
            print(line)
    except HeadraceError as error:
        print(f"tasks.report: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
