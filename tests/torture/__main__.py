"""`python -m tests.torture`: every row within a budget of minutes; 1 where any found a violation.

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
    shares = sum(row.share for row in rows)
    kept, is_clean = recall(), True
    for row in rows:
        seconds = asked.minutes * 60 * row.share / shares
        print(f"{row.name}: seed {asked.seed}, {seconds:.0f} s", flush=True)
        try:
            found = attack(row, seconds, asked.seed)
        except Unavailable as error:
            print(f"  skipped: {error}")
            continue
        is_clean &= not violations(row, found)
        print(f"  {row.tried.format(**found)}: {_verdict(row, found)}", flush=True)
        if not violations(row, found) and not short(row, found):
            kept[row.name] = {"seed": asked.seed, "seconds": round(seconds), **_where(), "found": found}
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(shown(PAGE.read_text(encoding="utf-8"), kept), encoding="utf-8")
    return 0 if is_clean else 1


def _verdict(row: Row, found: Mapping[str, int]) -> str:
    bad = violations(row, found)
    if bad:
        return "VIOLATED: " + ", ".join(f"{count} {kind}" for kind, count in bad.items())
    least = ", ".join(f"{count:,} {kind}" for kind, count in short(row, found).items())
    return f"nothing found, but fewer than the promised {least}: not kept" if least else "nothing found"


def _where() -> dict[str, str]:
    today = datetime.datetime.now(datetime.UTC).date()  # noqa: TID251 - when it was tried
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}, Python"
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
