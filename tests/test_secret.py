"""A secret that a task is given stands in nothing that a run leaves or shows: no file, no line, no error."""

from __future__ import annotations

import json
import logging
import os
import pickle  # noqa: TID251 - as a pool's line does
import subprocess
import sys
import textwrap
import urllib.parse
from pathlib import Path

import pytest

from pipeline.build import failure, messages
from pipeline.build.secret import MASK, Secret, SecretParameter, hidden
from pipeline.errors import ConfigurationError
from pipeline.values.codec import encode
from tests.mill import ROOT
from tests.world import World

CANARY = 's3cr3t/+canary="7f" & more'
TASKS = """
    import logging
    from pipeline import Column, Contract, Map, SecretParameter, Source, Task

    class Sales(Source):
        "What lands."
        files = "sales/{day}.csv"
        contract = Contract((Column("shop", "string"), Column("amount", "int64")))

    class Fetched(Map):
        "What a service says of each day."
        token = SecretParameter()

        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales):
            if "SAY" in sales["shop"].to_pylist():
                raise RuntimeError(f"401 for https://service/?token={self.token}")
            return {"rows": sales.num_rows, "had": len(self.token)}

    class All(Task):
        "All of it."
        token = SecretParameter()

        def requires(self):
            return {"days": Fetched(dates="2013-05-01-2013-05-03", token=self.token)}

        def build(self, days):
            logging.getLogger("headrace").error("asked with %s", self.token)
            return sum(day["rows"] for day in days.values())
"""


@pytest.fixture
def lab(tmp_path: Path) -> dict[str, str]:
    """A project of its own, in whose configuration a secret stands; the environment of its processes."""
    (tmp_path / "vault.py").write_text(textwrap.dedent(TASKS))
    (tmp_path / "landing" / "sales").mkdir(parents=True)
    for day in ("2013-05-01", "2013-05-02"):
        (tmp_path / "landing" / "sales" / f"{day}.csv").write_text("shop,amount\na,1\n")
    escaped = CANARY.replace("%", "%%")
    (tmp_path / "luigi.cfg").write_text(
        f"[headrace]\nstore = {tmp_path}/store\nlanding = {tmp_path}/landing\nmetrics = {tmp_path}/metrics\n"
        f"processes = 2\n[Fetched]\ntoken = {escaped}\n[All]\ntoken = {escaped}\n"
    )
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "LUIGI_CONFIG_PATH": str(tmp_path / "luigi.cfg"),
    }


def say(folder: Path, environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.stdout}\n{done.stderr}"


def leaks(folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("luigi.cfg", "vault.py") and "__pycache__" not in path.parts:
            data = path.read_bytes()
            if any(form.encode() in data for form in (CANARY, CANARY[:12], CANARY.replace('"', '\\"'))):
                found.append(str(path))
    return found


@pytest.mark.thorough
def test_a_secret_stands_in_nothing_that_whole_processes_leave_or_say(
    tmp_path: Path, lab: dict[str, str]
) -> None:
    bad = tmp_path / "landing" / "sales" / "2013-05-02.csv"
    bad.write_text("shop,amount\nSAY,1\n")
    said = [say(tmp_path, lab, "luigi", "--module", "vault", "All", "--log-level", "DEBUG")]
    assert f"401 for https://service/?token={MASK}" in said[0]
    bad.write_text("shop,amount\nb,1\n")
    said.append(say(tmp_path, lab, "luigi", "--module", "vault", "All"))
    assert "complete" in said[1]
    assert f"asked with {MASK}" in said[1]
    run = next(iter((tmp_path / "store" / "runs").iterdir())).name
    asked = [("log", run), ("log", run, "--json")]
    asked += [(word, "--module", "vault", "All") for word in ("plan", "why", "show")]
    said += [say(tmp_path, lab, "pipeline", *words) for words in asked]

    assert not [text for text in said if CANARY[:12] in text]
    assert (tmp_path / "metrics").is_dir()
    assert leaks(tmp_path) == []


def test_the_search_for_leaks_finds_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(CANARY)

    assert leaks(tmp_path) == [str(tmp_path / "a")]


def test_another_secret_is_not_another_task(world: World) -> None:
    world.code("vault.tasks", TASKS)
    one = world.task("vault.tasks.Fetched", dates="2013-05-01", token="one of them")
    two = world.task("vault.tasks.Fetched", dates="2013-05-01", token="another one")

    assert one.task_id == two.task_id
    assert str(one) == str(two) == "Fetched(dates=2013-05-01-2013-05-02)"
    assert "token" not in one.settings()
    assert "token" not in one.to_str_params()


def test_a_secret_hides_from_texts_as_it_may_be_written() -> None:
    secret = Secret('a"b\\c d/é-secret')

    for form in (
        str(secret),
        json.dumps(secret),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
    ):
        assert "secret" not in hidden(f"<{form}>").replace(MASK, "")
    assert repr(secret) == MASK
    assert repr({"token": secret}) == f"{{'token': {MASK}}}"


def test_a_secret_is_one_still_in_another_process() -> None:
    secret = Secret("a pool's own secret")

    read = pickle.loads(pickle.dumps(secret))

    assert type(read) is Secret
    assert read == secret


def test_no_build_returns_a_secret() -> None:
    with pytest.raises(
        TypeError, match=r"value\['token'\] has no digest: found pipeline.build.secret.Secret"
    ):
        encode({"token": Secret("a secret of a build")})


def test_an_error_is_told_without_the_secret_that_it_names() -> None:
    secret = Secret("in an error's text")
    error = RuntimeError(f"refused: {secret}")

    assert failure.cause(error) == f"RuntimeError: refused: {MASK}"
    assert "in an error's text" not in failure.fields(error)["traceback"]


def test_a_log_is_told_no_secret_even_in_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    messages.install()
    secret = Secret("in a traceback's text")

    try:
        raise RuntimeError(f"refused: {secret}")
    except RuntimeError:
        logging.getLogger("luigi-interface").exception("failed with %s", secret)

    assert caplog.text.count(MASK) == 2
    assert "in a traceback's text" not in caplog.text


def test_a_secret_that_could_be_any_text_is_refused(world: World) -> None:
    with pytest.raises(ConfigurationError, match="a secret has 3 characters, expected 8 or more"):
        SecretParameter().normalize("abc")
