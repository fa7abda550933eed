"""What is configured for places and times: it reads, and its exit codes are the documented ones."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import pytest

from pipeline import errors
from pipeline.build.configuration import LUIGI_DEFAULTS
from pipeline.build.interruption import INTERRUPTED, TERMINATED
from tests.mill import ROOT, Checkout

OPERATE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
CRONTAB = (ROOT / "configs" / "crontab").read_text(encoding="utf-8")


def test_the_exit_codes_are_the_documented_ones() -> None:
    documented = set(re.findall(r"^\| (\d+) \|", OPERATE, re.MULTILINE))
    named = {str(kind.exit_code) for kind in vars(errors).values() if hasattr(kind, "exit_code")}
    # Those of commands that look: no run ends with them.
    looking = {errors.TrapsFound, errors.StoreDamaged, errors.MachineUnfit, errors.WrongUse}
    named -= {str(kind.exit_code) for kind in looking}
    luigis = set(LUIGI_DEFAULTS["retcode"].values())
    shells = {
        "0",
        "1",
        "2",
        str(INTERRUPTED),
        str(TERMINATED),
    }  # Python's, argparse's, and signals as shells count them

    assert named <= luigis
    assert luigis | shells | {"36", "37"} == documented
    told = set(re.findall(r"\b\d+\b", CRONTAB.partition("Exit codes:")[2].partition("docs/operate.md")[0]))
    assert {"0", "10", *named} <= told <= documented


def cron_line() -> str:
    [line] = [line for line in CRONTAB.splitlines() if re.match(r"[\d*]", line)]
    return line


def test_the_cron_line_has_five_times_and_keeps_percent_signs_out() -> None:
    """Cron reads an unescaped percent sign as a line break."""
    assert re.match(r"(?:[\d*/,-]+\s+){5}cd ", cron_line())
    assert "%" not in cron_line()


def cron(folder: Path, configured: str = "production.cfg") -> tuple[str, str]:
    """Run the line as cron does: what it would mail, and the log."""
    settings = dict(re.findall(r"^([A-Z_]+)=(.*)$", CRONTAB, re.MULTILINE))
    environment = {
        name: text.replace(settings["HEADRACE"], str(folder)).replace("production.cfg", configured)
        for name, text in settings.items()
    }
    done = subprocess.run(
        [settings["SHELL"], "-c", cron_line().split(maxsplit=5)[5]],
        cwd="/",
        # The rest is what cron sets, and that this checkout is not the one that the environment installed.
        env={**environment, "PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    log = folder / "data" / "cron.log"
    return done.stdout, log.read_text(encoding="utf-8") if log.exists() else ""


def test_the_cron_line_works_on_a_fresh_checkout_and_mails_how_it_failed(tmp_path: Path) -> None:
    """Nothing has landed there, and nothing was ever run: the folder of its log is not there yet."""
    folder = Checkout(tmp_path / "headrace").folder

    mailed, log = cron(folder)

    assert mailed == f"headrace: TrainModel ended with exit code 20, see {folder}/data/cron.log\n"
    assert f"nothing has landed as {folder}/data/landing/flights/{{day}}.csv" in log


def test_a_cron_line_with_a_mistyped_configuration_runs_nothing(tmp_path: Path) -> None:
    """Not the development's interval, with the exit code of a success."""
    folder = Checkout(tmp_path / "headrace").folder

    mailed, log = cron(folder, "produktion.cfg")

    assert "ended with exit code 40" in mailed
    assert (
        f"LUIGI_CONFIG_PATH names {folder}/configs/produktion.cfg, which can't be read: No such file" in log
    )


def test_a_night_that_ends_well_mails_nothing(tmp_path: Path) -> None:
    program = tmp_path / ".venv" / "bin" / "luigi"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$@"; echo "$LUIGI_CONFIG_PATH" >&2\n')
    program.chmod(0o755)

    mailed, log = cron(tmp_path)

    assert mailed == ""
    assert log == f"--module tasks TrainModel\n{tmp_path}/configs/production.cfg\n"


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
