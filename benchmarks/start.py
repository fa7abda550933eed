"""A service's start: a fresh process up to the reader's first prediction, against the same model, bare.

The bare process imports scikit-learn, loads the model from a file with skops, and predicts a row. The reader
starts once with nothing kept at home (`first`), so that it takes the bundle out of the store and keeps it,
and once with what it kept (`again`). All three take turns; medians count. The promise: at most 1.3 times.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import ALIAS, Worked, in_turns, keep, spread
from pipeline.release import golden, served, signed
from pipeline.values.check import Check
from pipeline.values.model import TRUSTED_TYPES

ROUNDS = 15

BARE = """
import json, sys

import pandas as pd
import sklearn
from skops.io import load

given = json.load(open(sys.argv[1]))
model = load(given["model"], trusted=given["trusted"])
print(model.predict_proba(pd.DataFrame([given["row"]]))[0, 1])
"""
SERVICE = """
import json, sys

from pipeline import Reader

given = json.load(open(sys.argv[1]))
with Reader(given["store"], given["alias"], trust=given["trust"], home=given["home"]) as reader:
    print(reader.predict([given["row"]]).values[0])
"""


def main() -> int:
    """Measure, print, and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        mill = Worked(Path(folder))
        mill.land("--until", "2013-03-31")
        mill.train()
        bare, service = _commands(mill)
        home = mill.folder / "home"

        def first() -> float:
            shutil.rmtree(home)
            return mill.seconds(*service)

        answers = {mill.run(*bare), mill.run(*service)}  # compiled from here on, and kept at home
        assert len(answers) == 1, f"found different answers: {answers}"
        times = in_turns([lambda: mill.seconds(*bare), first, lambda: mill.seconds(*service)], ROUNDS)
    found = dict(zip(("bare_s", "first_s", "again_s"), map(spread, times), strict=True))
    ratios = {name: found[name]["median"] / found["bare_s"]["median"] for name in ("first_s", "again_s")}
    return keep(
        "start",
        "a fresh process to the reader's first prediction, against scikit-learn with the same model",
        {"rounds": ROUNDS, **found},
        [
            Check("times as long, nothing kept at home", high=1.3).apply(ratios["first_s"]),
            Check("times as long, kept at home", high=1.3).apply(ratios["again_s"]),
        ],
    )


def _commands(mill: Worked) -> tuple[list[str], list[str]]:
    """The two processes, and the files that they read."""
    registry = mill.registry()
    [generation] = registry.history(ALIAS)
    bundle = signed.read(registry.storage, generation.bundle, registry.trust)
    rows = golden.rows_of(bundle.json("golden.json"), served.load(bundle).contract)
    model = mill.folder / "model.skops"
    model.write_bytes(bundle.files["model.skops"])
    given = {
        "model": str(model),
        "trusted": TRUSTED_TYPES,
        "row": next(row for row in rows if None not in row.values()),
        "store": str(mill.online),
        "alias": ALIAS,
        "trust": str(mill.trust),
        "home": str(mill.folder / "home"),
    }
    files = {"given.json": json.dumps(given), "bare.py": BARE, "service.py": SERVICE}
    for name, text in files.items():
        (mill.folder / name).write_text(text, encoding="utf-8")
    argument = str(mill.folder / "given.json")
    bare, service = (["python", str(mill.folder / name), argument] for name in ("bare.py", "service.py"))
    return bare, service


if __name__ == "__main__":
    sys.exit(main())
