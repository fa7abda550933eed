"""What is configured for places and times: it reads, and its exit codes are the documented ones."""

from __future__ import annotations

import configparser
import re

import pytest

from pipeline import errors
from pipeline.build.configuration import LUIGI_DEFAULTS
from tests.mill import ROOT

OPERATE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
CRONTAB = (ROOT / "configs" / "crontab").read_text(encoding="utf-8")


def test_the_exit_codes_are_the_documented_ones() -> None:
    documented = set(re.findall(r"^\| (\d+) \|", OPERATE, re.MULTILINE))
    named = {str(kind.exit_code) for kind in vars(errors).values() if hasattr(kind, "exit_code")}

    assert named | {"0", LUIGI_DEFAULTS["retcode"]["already_running"]} == documented
    assert named <= set(LUIGI_DEFAULTS["retcode"].values())
    assert set(re.findall(r"\b\d\d? (?=done|already|data|partitions|the store|bad)", CRONTAB)) == {
        f"{code} " for code in documented
    }


def test_the_cron_line_has_five_times_and_keeps_percent_signs_out() -> None:
    """Cron reads an unescaped percent sign as a line break."""
    [line] = [line for line in CRONTAB.splitlines() if re.match(r"[\d*]", line)]

    assert re.match(r"(?:[\d*/,-]+\s+){5}cd ", line)
    assert "%" not in line


@pytest.mark.parametrize("name", ["luigi.cfg", "production.cfg"])
def test_a_configuration_reads(name: str) -> None:
    parser = configparser.ConfigParser({"root": "/srv"})

    assert parser.read(ROOT / "configs" / name)
    assert parser.sections()


def test_production_differs_where_it_says_so_alone() -> None:
    default, production = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    default.read(ROOT / "configs" / "luigi.cfg")
    production.read(ROOT / "configs" / "production.cfg")

    keys = {("headrace", name) for name in ("release_key", "make_release_key", "trusted_keys")}
    assert {(s, o) for s in production.sections() for o in production[s]} == {("TrainModel", "dates"), *keys}
    assert not production.getboolean("headrace", "make_release_key")
    assert default["TrainModel"]["dates"] != production["TrainModel"]["dates"]
