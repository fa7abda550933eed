"""`make soak` lives the histories that it is asked for, and ends red with the one that breaks a law."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import measure, soak
from benchmarks.soak import Lived


class Broken:
    """Histories of which the first breaks a law."""

    def __init__(self) -> None:
        self.steps: Counter[str] = Counter()

    def live_many(self, count: int, drawn_by: str) -> None:
        self.steps["sell"] += 1
        error = AssertionError("built twice")
        error.add_note("Falsifying example: held(nights=[])")
        raise error


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    return tmp_path / "soak.json"


def kept(results: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(results.read_text())
    return found


def test_each_seed_is_lived_in_a_process_and_counted(results: Path) -> None:
    assert soak.main(["--histories", "3", "--seed", "5"]) == 0

    found = kept(results)
    assert (found["histories"], found["seeds"]) == (3, [5])
    assert found["nights"] >= 6
    assert sum(found["steps"].values()) >= 6
    assert found["bars"][0]["status"] == "pass"


def test_what_breaks_a_law_is_told_and_ends_it(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak, "_histories", lambda folder: (Broken(), None))
    lived = soak.live(7, 500, "")
    assert lived.steps == {"sell": 1}
    assert "built twice\nFalsifying example: held(nights=[])" in lived.broken

    monkeypatch.setattr(soak, "soak", lambda seeds, count, seconds: [Lived(6, Counter(histories=500)), lived])

    assert soak.main(["--histories", "1000", "--seed", "6"]) == 1
    assert kept(results)["bars"][0]["observed"] == 1


def test_no_seed_is_begun_after_the_time_is_over() -> None:
    assert soak.soak([1, 2], 500, 0.0) == []
