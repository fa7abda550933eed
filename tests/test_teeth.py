"""The tests have teeth: the product without one of its guards, and the test that goes red then.

Each mutant takes a guard out of one process, from the outside. The table in docs/reliability.md is this one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.mill import ROOT
from tests.torture.mutants import MUTANTS
from tests.torture.rows import ROWS, attack, violations
from tests.torture.shim import Unavailable

ROW = {row.name: row for row in ROWS}
SECONDS = {"order": 1.0, "kills": 2.0, "power": 2.0}
SEEDS = range(3, 9)
CAUGHT_BY_A_ROW = [
    ("no-syncs", "order"),
    ("no-syncs", "power"),
    ("link-before-sync", "order"),
    ("link-before-sync", "power"),
    ("folders-not-synced", "order"),
    ("folders-not-synced", "power"),
    ("record-before-blobs", "kills"),
]
CAUGHT_BY_A_TEST = [
    (
        "no-syncs",
        "tests/test_storage.py::test_data_is_on_disk_before_its_name_and_the_folders_before_the_return",
    ),
    ("no-size-check", "tests/test_torture.py::test_a_value_that_a_power_cut_left_empty_is_built_again"),
    ("no-create-if-absent", "tests/test_storage.py::test_the_link_decides_who_is_first"),
    ("one-write", "tests/test_storage.py::test_a_file_that_can_not_be_finished_leaves_nothing"),
    ("no-signature-check", "tests/test_aliases.py::test_no_word_of_a_generation_can_be_changed"),
    (
        "no-look-at-what-is-moved",
        "tests/test_aside.py::test_a_blob_that_is_written_again_while_it_is_moved_aside_is_there",
    ),
    ("waits-for-itself", "tests/test_claim.py::test_what_a_run_has_claimed_is_claimed_for_its_processes"),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("mutant", "row"), CAUGHT_BY_A_ROW)
def test_a_row_finds_what_is_wrong_without_the_guard(mutant: str, row: str) -> None:
    try:
        found = (violations(ROW[row], attack(ROW[row], SECONDS[row], seed, mutant)) for seed in SEEDS)
        assert any(found)  # the first, on a machine that has nothing else to do
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.thorough
@pytest.mark.parametrize(("mutant", "test"), CAUGHT_BY_A_TEST)
def test_a_test_goes_red_without_the_guard(mutant: str, test: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.torture.mutants"]
    done = subprocess.run(
        [*command, test], cwd=ROOT, env={**os.environ, "TORTURE_MUTANT": mutant}, check=False,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip

    assert done.returncode == 1, done.stdout
    assert re.search(r"^FAILED .*" + re.escape(test.rpartition("::")[2]), done.stdout, re.MULTILINE)


def test_the_page_lists_each_mutant_and_who_catches_it() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| .+ \| `([a-z-]+)` \| (?:row|test) `([^`]+)` \|$", page, re.MULTILINE))

    tests = [(mutant, test.rpartition("::")[2]) for mutant, test in CAUGHT_BY_A_TEST]
    assert listed == {*CAUGHT_BY_A_ROW, *tests}
    assert {mutant for mutant, _ in listed} == MUTANTS.keys()
