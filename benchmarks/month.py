"""One more month, bare: read features, fit, score, by the worked pipeline's functions with nothing around.

`python -m benchmarks.month GIVEN` reads from a JSON file where the features of each day and the older models
lie, which days are learnt from and which are scored. It prints the log loss by the age of the model.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa  # noqa: TID253
import pyarrow.parquet as pq  # noqa: TID253
from skops.io import load  # noqa: TID253

from pipeline.model.binary import BILLION
from tasks import learning


def main(given: Path) -> None:
    """What December costs a script."""
    told = json.loads(given.read_text(encoding="utf-8"))
    learnt, month = (
        pa.concat_tables([pq.read_table(path) for path in told[days]]) for days in ("learnt", "month")
    )
    learning.refuse_leaks(learnt)
    models = [learning.fit(learnt), *(load(path, trusted=told["trusted"]) for path in told["older"])]
    for age, model in enumerate(models, start=1):
        days = learning.PROBLEM.scores_by_day(learning.predict(model, month), month)
        found = [scores.slices[""] for scores in days.values()]
        print(age, sum(each.loss for each in found) / BILLION / sum(each.rows for each in found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
