"""Which model did a contestant come to? `python -m benchmarks.workload.models PATH...`, or `headrace`.

Prints, as JSON, the sha256 of each one's coefficients: how a model is kept differs, what it says must not.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any


def main(paths: list[str]) -> None:
    """Load each, and tell."""
    print(json.dumps({path: _digest(_load(path)) for path in paths}))


def _load(path: str) -> Any:
    if path == "headrace":
        import pipeline
        from benchmarks.workload.headrace_job import Model

        return pipeline.load(Model())
    import joblib

    return joblib.load(path)


def _digest(model: Any) -> str:
    return hashlib.sha256(model.coef_.tobytes() + model.intercept_.tobytes()).hexdigest()[:12]


if __name__ == "__main__":
    main(sys.argv[1:])
