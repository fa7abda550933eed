"""How far a long stage is: on a terminal, and in a log."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from pipeline.build.progress import Progress
from tests.mill import ROOT

SLOW = """
import pipeline.build.progress as p
now = iter(range(0, 100000, 40))
p.stopwatch = lambda: float(next(now))
import logging
logging.basicConfig(format="%(message)s", level=logging.INFO)
with p.Progress("DailyFeatures", 3) as progress:
    for _ in range(3):
        progress.step()
"""


def test_the_line_says_done_rate_and_time_left() -> None:
    progress = Progress("DailyFeatures", 10)
    progress._done, progress._began = 4, 0.0

    assert progress.line(2.0) == "DailyFeatures 4/10, 2.0/s, 3 s left"


def test_a_log_gets_a_line_now_and_then() -> None:
    done = subprocess.run([sys.executable, "-c", SLOW], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stderr.splitlines() == [
        "DailyFeatures 1/3, 0.0/s, 80 s left",
        "DailyFeatures 2/3, 0.0/s, 40 s left",
        "DailyFeatures 3/3, 0.0/s, 0 s left",
    ]


def test_a_terminal_gets_one_live_line_that_is_cleared_at_the_end() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", SLOW], cwd=ROOT, stderr=theirs) as process:
        process.wait()
    os.close(theirs)
    said = os.read(ours, 4096).decode()
    os.close(ours)

    assert said.count("\r\x1b[K") == 4
    assert said.endswith("DailyFeatures 3/3, 0.0/s, 0 s left\r\x1b[K")


def test_a_short_stage_says_nothing() -> None:
    quick = SLOW.replace("0, 100000, 40", "0, 100")
    done = subprocess.run([sys.executable, "-c", quick], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stderr == ""
