"""The plain script: it always does everything, and keeps in memory what it needs again.

`python -m benchmarks.workload.plain LANDING OUT [--reread]`; with the last word the model reads the features
back from their files, as it must wherever steps run on their own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.workload import files
from benchmarks.workload.features import LABEL, NAMES, features
from benchmarks.workload.learning import fit
from benchmarks.workload.summary import merge_all, summarize


def main(landing: Path, out: Path, reread: bool) -> None:
    """Every day, and then the model."""
    import pandas as pd

    kept, summaries, paths = [], [], []
    for day in files.landed(landing):
        made = features(files.read_sales(landing / f"{day}.csv"))
        paths.append(out / "features" / f"{day}.parquet")
        files.write_features(made, paths[-1])
        summaries.append(summarize(made))
        if not reread:
            kept.append(made[[*NAMES, LABEL]])
    stats = merge_all(summaries)
    files.write_json(stats, out / "stats.json")
    rows = files.read_to_learn(paths) if reread else pd.concat(kept, ignore_index=True)
    files.write_model(fit(rows, stats), out / "model.joblib")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), "--reread" in sys.argv[3:])
