"""A run that stands at a gate: interrupted, killed, or started once more meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mill import Project


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project.example("shop", tmp_path / "shop")


@pytest.fixture
def gated(shop: Project) -> Path:
    """The last build waits at a gate; opening it to write returns once a run stands there."""
    gate = shop.folder / "go"
    os.mkfifo(gate)
    module = shop.folder / "shop.py"
    text = module.read_text(encoding="utf-8")
    assert "        today = Tally" in text
    wait = "        open('go').read()\n"
    module.write_text(text.replace("        today = Tally", f"{wait}        today = Tally"), encoding="utf-8")
    return gate


def start(shop: Project, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "luigi", "--module", "shop", "Slumps", *words],
        cwd=shop.folder, env=shop.environment(), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_run_ends_with_130_and_says_how_far_it_was(
    shop: Project, gated: Path, workers: str
) -> None:
    """Who types Ctrl-C interrupts every process of the run, and needs no traceback to know why it ends."""
    with start(shop, "--workers", workers) as run, open(gated, "w"):
        os.killpg(run.pid, signal.SIGINT)
        said, _ = run.communicate()

    assert run.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("interrupted: 34 built (")
    assert shop.summary()["status"] == "interrupted"


def test_a_run_that_is_killed_is_told_with_what_it_had_built(shop: Project, gated: Path) -> None:
    with start(shop) as run, open(gated, "w"):
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()

    newest = shop.run("headrace", "log").splitlines()[0]

    assert re.search(r"  unfinished +\d.\d s  34 built", newest)
    assert ": begun (" in shop.run("headrace", "log", shop.summary()["run"])  # what it was at


def test_the_same_command_twice_at_once_is_10(shop: Project, gated: Path) -> None:
    """The first run waits in a build until the second has come and gone."""
    words = ["--dates", "2026-03-09"]
    with start(shop, *words) as first, open(gated, "w"), start(shop, *words) as second:
        second.communicate()

    assert second.returncode == 10
    assert first.returncode == 0
