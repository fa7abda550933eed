"""W(N) at scale: nights, first runs, memory, and the count of builds; each held to its bar.

`python -m benchmarks.scale` measures what is promised, which takes a while; `--nights 30 --cold 30 --rounds
2 --name trial` tries it out. A hundred thousand are hours: `--nights 100008 --hourly --rows 5`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.cold import cold
from benchmarks.measure import keep
from benchmarks.minimum import count
from benchmarks.nights import first_peak_mb, nights
from pipeline.values.check import Check, Outcome

FAR = 100_000
"""From so many on the no-op may cost more; what a day costs, and what memory grows by, is told alone."""


def main() -> int:
    """Measure, print, and keep the figures."""
    given = _arguments()
    counted = count(given.count, given.rows) if given.count else {}
    night = {days: nights(days, given.rows, given.rounds, given.hourly) for days in given.nights}
    first = {days: cold(days, given.rows, given.cold_rounds) for days in given.cold}
    least_mb = first_peak_mb(given.memory, given.rows) if given.nights else None
    bars = [
        *(
            Check(f"{name}: builds off the least", high=0).apply(each["off"])
            for name, each in counted.items()
        ),
        *(bar for days, figures in night.items() for bar in _night_bars(days, figures, least_mb)),
        *(bar for days, figures in first.items() for bar in _cold_bars(days, figures)),
    ]
    return keep(
        given.name,
        f"W(N), N daily files of {given.rows} rows to features, stats and a model: whole processes, in turns",
        {
            "rows_a_day": given.rows,
            "builds": {"days": given.count, "scenarios": counted},
            "nights": night,
            "first_runs": first,
            "first_peak_mb": {given.memory: least_mb},
        },
        bars,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", nargs="*", type=int, default=[365, 10_000], help="N of the nights")
    parser.add_argument("--cold", nargs="*", type=int, default=[2_000], help="N of the first runs")
    parser.add_argument("--count", type=int, default=365, help="N of the count of builds; 0 for none")
    parser.add_argument("--memory", type=int, default=100, help="N that the others' memory is held against")
    parser.add_argument("--rows", type=int, default=1_000, help="of each file")
    parser.add_argument("--rounds", type=int, default=11, help="of the nights")
    parser.add_argument("--cold-rounds", type=int, default=3, help="of the first runs")
    parser.add_argument("--hourly", action="store_true", help="N is of hours, in files of an hour each")
    parser.add_argument("--name", default="scale", help="what the results are kept as")
    return parser.parse_args()


def _night_bars(days: int, figures: Mapping[str, Any], least_mb: float | None) -> list[Outcome]:
    far = days >= FAR
    bars = {
        "no-op, of the floor": (figures["noop_of_floor"]["median"], 2.0 if far else 1.3),
        "equal bytes, of the no-op": (figures["equal_bytes_of_noop"]["median"], 1.1),
        "comment edited, of the no-op": (figures["comment_of_noop"], 1.1),
    }
    if not far:
        bars["a day arrives, of the bare day"] = figures["arrives_of_bare"]["median"], 2.0
        bars["a day corrected, of the bare day"] = figures["corrected_of_bare"]["median"], 2.0
    found = [Check(f"N={days}: {name}", high=high).apply(number) for name, (number, high) in bars.items()]
    if least_mb and not far:
        grown = figures["first_peak_mb"] / least_mb
        found.append(Check(f"N={days}: peak memory, of the least", high=1.3).apply(grown))
    return found


def _cold_bars(days: int, figures: Mapping[str, Any]) -> list[Outcome]:
    bars = {
        "one process, of the plain script": ("one_of_plain", 1.15),
        "two processes, of the plain script": ("two_of_plain", 0.65),
        "own overhead, ms a day and stage": ("overhead_ms", 0.8),
    }
    return [
        Check(f"N={days}: {what}", high=high).apply(figures[name]["median"])
        for what, (name, high) in bars.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
