"""`python -m tests.torture`: every row, in a budget of minutes, one on each core; 1 where any was violated.

The figures of rows that reached what they promise are kept in benchmarks/results/torture.json, and shown in
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.torture.rows import ROOT, ROWS, Row, attack, short, violations
from tests.torture.shim import Unavailable

RESULTS = ROOT / "benchmarks" / "results" / "torture.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: make torture -->\n", "<!-- end of figures -->\n"


def main() -> int:
    """Attack, print, keep the figures."""
    parser = argparse.ArgumentParser(prog="tests.torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", nargs="*", metavar="ROW", help=", ".join(row.name for row in ROWS))
    asked = parser.parse_args()
    rows = [row for row in ROWS if not asked.rows or row.name in asked.rows]
    cores = os.cpu_count() or 1
    longest_first = sorted(rows, key=lambda row: -row.share)
    each_s = asked.minutes * 60 / max(sum(row.share for row in rows) / cores, longest_first[0].share)
    with ThreadPoolExecutor(cores) as pool:
        tried = pool.map(lambda row: _tried(row, row.share * each_s, asked.seed), longest_first)
        found = dict(zip((row.name for row in longest_first), tried, strict=True))
    kept, is_clean = recall(), True
    for row in rows:
        seconds, counts = round(row.share * each_s), found[row.name]
        is_clean &= counts is not None and not violations(row, counts)
        if counts and not violations(row, counts) and not short(row, counts):
            kept[row.name] = {"seed": asked.seed, "seconds": seconds, **_where(), "found": counts}
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(shown(PAGE.read_text(encoding="utf-8"), kept), encoding="utf-8")
    return 0 if is_clean else 1


def _tried(row: Row, seconds: float, seed: int) -> dict[str, int] | None:
    """Attack, and say what came of it: no counts where this machine can't, None where the row broke."""
    print(f"{row.name}: seed {seed}, {seconds:.0f} s", flush=True)
    try:
        found = attack(row, seconds, seed)
    except Unavailable as error:
        print(f"{row.name}: skipped: {error}", flush=True)
        return {}
    except RuntimeError as error:
        print(error, flush=True)
        return None
    print(f"{row.name}: {row.tried.format(**found)}: {_verdict(row, found)}", flush=True)
    return found


def _verdict(row: Row, found: Mapping[str, int]) -> str:
    bad = violations(row, found)
    if bad:
        return "VIOLATED: " + ", ".join(f"{count} {kind}" for kind, count in bad.items())
    least = ", ".join(f"{count:,} {kind}" for kind, count in short(row, found).items())
    return f"nothing found, but fewer than the promised {least}: not kept" if least else "nothing found"


def _where() -> dict[str, str]:
    today = datetime.datetime.now(datetime.UTC).date()  # noqa: TID251 - when it was tried
    machine = (
        f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release().partition('-')[0]}, Python"
    )
    return {"date": today.isoformat(), "machine": f"{machine} {platform.python_version()}"}


def recall() -> dict[str, Any]:
    """The figures that are kept, by row."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return found


def shown(page: str, kept: Mapping[str, Any]) -> str:
    """A page with the figures between its two marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}{_table(kept)}{END}{after}"


def _table(kept: Mapping[str, Any]) -> str:
    lines = ["| attack | tried | found | seed, date |", "|---|---|---|---|"]
    for row in ROWS:
        if row.name in kept:
            each = kept[row.name]
            found = each["found"]
            zero = ", ".join(f"{found[kind]} {kind.replace('_', ' ')}" for kind in row.violations)
            tried = row.tried.format(**found)
            lines.append(f"| {row.what} | {tried} | {zero} | {each['seed']}, {each['date']} |")
    machines = sorted({each["machine"] for each in kept.values()})
    return "\n".join(lines) + f"\n\nOn {'; '.join(machines)}.\n"


if __name__ == "__main__":
    sys.exit(main())
