"""Who takes part in W(N): the commands, each in a folder of its own, and the environment of the peers.

The peers are installed on demand, as `peers.txt` pins them, into `.venv-peers` of the checkout.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.contest import Contest, Used
from tests.mill import PROGRAMS, ROOT

JOBS = "benchmarks.workload"
PINNED = ROOT / "benchmarks" / "peers.txt"
ENVIRONMENT = ROOT / ".venv-peers"


@dataclass(frozen=True)
class Contestant:
    """A name, and the command by which it brings everything below its folder up to date."""

    name: str
    command: Callable[[Contest, Path], list[str]]

    def out(self, contest: Contest) -> Path:
        """Its folder."""
        folder = contest.folder / "out" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run(self, contest: Contest) -> Used:
        """One night."""
        out = self.out(contest)
        return contest.measure(
            self.command(contest, out), WORKLOAD_LANDING=str(contest.landing), WORKLOAD_OUT=str(out)
        )

    def python(self) -> str:
        """The interpreter that has its libraries."""
        return sys.executable if self in (PLAIN, HEADRACE) else peer("python")

    def model(self, contest: Contest) -> str:
        """The newest model's path; Headrace's is found by Headrace."""
        if self is HEADRACE:
            return self.name
        return str(max(self.out(contest).glob("model*"), key=lambda path: path.stat().st_mtime_ns))


def headrace(task: str, *words: str) -> list[str]:
    """Our own command."""
    return [str(PROGRAMS / "luigi"), "--module", f"{JOBS}.headrace_job", task, *words]


def plain(contest: Contest, out: Path) -> list[str]:
    """The plain script."""
    return [sys.executable, "-m", f"{JOBS}.plain", str(contest.landing), str(out)]


def bare_day(contest: Contest, out: Path, number: int) -> list[str]:
    """The script that does one day's own work."""
    return [
        sys.executable,
        "-m",
        f"{JOBS}.bare_day",
        str(contest.landing),
        str(out),
        contest.file(number).stem,
    ]


def _job(contest: Contest, name: str) -> str:
    return str(contest.folder / "benchmarks" / "workload" / f"{name}.py")


def _doit(contest: Contest, out: Path) -> list[str]:
    return [peer("doit"), "-f", _job(contest, "doit_job")]


def _luigi(contest: Contest, out: Path) -> list[str]:
    words = ["--landing", str(contest.landing), "--out", str(out)]
    quiet = ["--local-scheduler", "--log-level", "WARNING"]
    return [peer("luigi"), "--module", f"{JOBS}.luigi_job", "Model", *words, *quiet]


def _gokart(contest: Contest, out: Path) -> list[str]:
    return [peer("python"), "-m", f"{JOBS}.gokart_job", str(contest.landing), str(out)]


def _redun(contest: Contest, out: Path) -> list[str]:
    words = ["--landing", str(contest.landing), "--out", str(out)]
    return [peer("redun"), "--config", str(out / "redun"), "run", _job(contest, "redun_job"), "main", *words]


PLAIN = Contestant("plain", plain)
HEADRACE = Contestant("headrace", lambda contest, out: headrace("Model"))
PEERS = (
    Contestant("doit", _doit),
    Contestant("luigi", _luigi),
    Contestant("gokart", _gokart),
    Contestant("gokart-strict", lambda contest, out: [*_gokart(contest, out), "strict"]),
    Contestant("redun", _redun),
)
ALL = (PLAIN, HEADRACE, *PEERS)


def peer(program: str) -> str:
    """A program of the peers' environment."""
    return str(_installed() / "bin" / program)


@cache
def _installed() -> Path:
    """The peers' environment, made anew where it is not what is pinned."""
    ready = ENVIRONMENT / "ready.txt"
    if not ready.exists() or ready.read_bytes() != PINNED.read_bytes():
        print(f"installing {PINNED.name} into {ENVIRONMENT.name} ...")
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        python = ENVIRONMENT / "bin" / "python"
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([python, "-m", "pip", "install", *quiet, "--requirement", PINNED], check=True)
        ready.write_bytes(PINNED.read_bytes())
    return ENVIRONMENT
