"""`python -m benchmarks`: every figure, each in a process of its own; 1 where a bar was missed."""

from __future__ import annotations

import subprocess
import sys

FIGURES = (
    "null", "flips", "reader", "start", "noop", "backtest", "release", "linear", "relational", "table_digest",
    "scale",
)  # fmt: skip


def main() -> int:
    """Measure one after the other, and name those that missed."""
    missed = [
        name
        for name in FIGURES
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    ]
    print(f"missed: {', '.join(missed)}" if missed else "every bar was held")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
