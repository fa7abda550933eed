"""Models whose answers hang on the processor may differ a little, and no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pytest
from sklearn.compose import make_column_transformer  # noqa: TID253
from sklearn.ensemble import (  # noqa: TID253
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression  # noqa: TID253
from sklearn.pipeline import make_pipeline, make_union  # noqa: TID253
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, StandardScaler  # noqa: TID253
from sklearn.tree import DecisionTreeClassifier  # noqa: TID253

from pipeline.model.determinism import TOLERANCE, tolerance
from pipeline.values.model import dump_model
from tests.mill import ROOT

X = np.random.Generator(np.random.PCG64(1)).normal(0, 1, (1000, 3)).round(2)
Y = X[:, 0] + X[:, 1] > 0.5

EXACT = {
    "tree": DecisionTreeClassifier(),
    "forest": RandomForestRegressor(3),
    "scaled": make_pipeline(StandardScaler(), "passthrough", ExtraTreesClassifier(3)),
    "by column": make_pipeline(
        make_column_transformer((KBinsDiscretizer(3), [0]), ("drop", [1]), remainder="passthrough"),
        DecisionTreeClassifier(),
    ),
    "union": make_pipeline(make_union(StandardScaler(), "passthrough"), DecisionTreeClassifier()),
}
ABOUT = {
    "linear": LogisticRegression(),
    "scaled": make_pipeline(StandardScaler(), LogisticRegression()),
    "boosting": GradientBoostingClassifier(n_estimators=30),
    "histograms": HistGradientBoostingClassifier(max_iter=3),
    "threads": RandomForestRegressor(3, n_jobs=2),
    "function": make_pipeline(FunctionTransformer(np.exp), DecisionTreeClassifier()),
    "votes": VotingClassifier([("tree", DecisionTreeClassifier())]),
    "by column": make_pipeline(
        make_column_transformer((StandardScaler(), [0]), (FunctionTransformer(np.exp), [1])),
        DecisionTreeClassifier(),
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_counts_and_compares_is_exact(name: str) -> None:
    assert tolerance(EXACT[name].fit(X, Y)) == 0


@pytest.mark.parametrize("name", ABOUT)
def test_what_multiplies_or_takes_exponentials_is_not(name: str) -> None:
    assert tolerance(ABOUT[name].fit(X, Y)) == TOLERANCE


def test_the_same_model_answers_so_on_another_processor(tmp_path: Path) -> None:
    """A process that is told to have neither fused multiply-add nor AVX2, for BLAS nor for the C library."""
    models = {**EXACT, "linear": ABOUT["linear"], "boosting": ABOUT["boosting"]}
    for name, model in models.items():
        (tmp_path / name).write_bytes(dump_model(model.fit(X, Y)))
    program = (
        "import json; from pathlib import Path; from pipeline.values.model import load_model;"
        "from tests.test_determinism import X, answers;"
        f"files = sorted(Path({str(tmp_path)!r}).iterdir());"
        "print(json.dumps({each.name: answers(load_model(each.read_bytes())) for each in files}))"
    )
    less = {"OPENBLAS_CORETYPE": "Prescott", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"}

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, **less},
    )  # fmt: skip

    elsewhere = json.loads(done.stdout)
    assert set(elsewhere) == set(models)
    for name, model in models.items():
        here = answers(model)
        assert np.allclose(elsewhere[name], here, rtol=0, atol=tolerance(model) * np.max(here)), name


def answers(model: Any) -> Any:
    """What it says of each row, as JSON."""
    return getattr(model, "predict_proba", model.predict)(X).tolist()
