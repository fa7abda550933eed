"""`plan`, `why`, `show` and `log`: what they say is what happens, and they change nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest

from pipeline import cli
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest
from tests.mill import ROOT
from tests.sales import DATES, MODEL, days, land
from tests.world import Ask, World


def nothing(shop: World) -> None:
    pass


def a_day_corrected(shop: World) -> None:
    land(shop, "2013-05-03", 99)


def a_day_dropped_in_another_order(shop: World) -> None:
    shop.rows("sales/2013-05-03.csv", [{"shop": "b", "amount": 5}, {"shop": "a", "amount": 12}])


def code_edited(shop: World) -> None:
    shop.edit("shop.rules", "pc.greater_equal", "pc.greater")


def an_aggregate_edited(shop: World) -> None:
    shop.edit("shop.counts", "return self.amount\n", "return self.amount + 0\n")


def an_input_asked_for_otherwise(shop: World) -> None:
    shop.edit("shop.tasks", "optional=True)", "optional=True, window=Window(days=1))")


def an_earlier_record_damaged(shop: World) -> None:
    name, *_ = shop.storage.list("records/Clean")
    shop.storage.replace(name, b"{}")
    shop.edit("shop.rules", "pc.greater_equal", "pc.greater")


def the_record_of_the_model_damaged(shop: World) -> None:
    [name] = shop.storage.list("records/Model")
    shop.storage.replace(name, b"{}")
    shop.storage.delete(list(shop.storage.list("cache/stages")))


def a_snapshot_added(shop: World) -> None:
    shop.rows("shops/2013-05-05.csv", [{"shop": "a", "town": "y"}])


def the_model_lost(shop: World) -> None:
    [record] = Repository(shop.storage).records("Model")
    shop.storage.delete([blob_name(Digest(record.outputs["value"]["blob"]))])


def an_intermediate_lost_and_needed(shop: World) -> None:
    [record] = [r for r in Repository(shop.storage).records("Clean") if r.recipe["partition"] == "2013-05-03"]
    shop.storage.delete([blob_name(Digest(record.outputs["value"]["blob"]))])
    shop.edit("shop.tasks", "known = history.total()", "known = history.total() + 0")


def an_intermediate_lost_and_perhaps_needed(shop: World) -> None:
    """What needs it waits for a day of which nobody knows yet whether it comes out the same."""
    lose(shop, "Sales", "2013-05-04")
    lose(shop, "Clean", "2013-05-04")
    lose(shop, "Trailing", "2013-05-05")
    a_day_corrected(shop)


def lose(shop: World, task: str, day: str) -> None:
    """Every value of a day, and none of them once more elsewhere."""
    blobs = {
        r.recipe["partition"]: r.outputs["value"]["blob"] for r in Repository(shop.storage).records(task)
    }
    shop.storage.delete([blob_name(Digest(blobs[day]))])


def a_day_broken(shop: World) -> None:
    shop.write("sales/2013-05-03.csv", "nonsense")


def a_day_missing(shop: World) -> None:
    (shop.landing / "sales" / "2013-05-03.csv").unlink()


def nothing_built_yet(shop: World) -> None:
    shop.storage.delete(list(shop.storage.list("")))


CHANGES = [
    nothing, a_day_corrected, a_day_dropped_in_another_order, code_edited, an_aggregate_edited,
    a_snapshot_added, an_input_asked_for_otherwise, an_earlier_record_damaged,
    the_record_of_the_model_damaged, the_model_lost, an_intermediate_lost_and_needed,
    an_intermediate_lost_and_perhaps_needed, a_day_broken, a_day_missing, nothing_built_yet,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_plan_is_what_the_run_then_does(shop: World, ask: Ask, change: Callable[[World], None]) -> None:
    change(shop)
    plan = json.loads(ask("plan", "Model", "--dates", DATES, "--json"))
    certain = {
        (stage["task"], step["step"], step["partition"]): step["reasons"]
        for stage in plan["stages"]
        for step in stage["build"]
    }
    may = {
        (stage["task"], step["step"], step["partition"])
        for stage in plan["stages"]
        for step in stage["unknown"]
    }

    result = shop.run(MODEL, dates=DATES)

    done = {
        (build["task"], build["step"], build["partition"]): build["reason"]
        for stage in result.stages.values()
        for build in stage["builds"]
    }
    tried = {(f["task"], f["step"], f["partition"]) for s in result.stages.values() for f in s["failures"]}
    assert certain.keys() <= done.keys() | tried
    assert {place: done[place] for place in certain if place in done} == {
        place: reasons for place, reasons in certain.items() if place in done
    }
    assert done.keys() - certain.keys() <= may
    assert len(done) <= plan["builds"]["at_most"]
    assert plan["is_empty"] == (not done and not tried)


@pytest.mark.parametrize(
    "words", [("plan", "Model"), ("why", "Model"), ("show", "Clean"), ("log",)], ids=" ".join
)
def test_a_command_changes_nothing_but_caches(shop: World, ask: Ask, words: tuple[str, ...]) -> None:
    a_day_corrected(shop) if words[0] != "show" else None
    before = contents(shop)

    ask(*words, *(["--dates", DATES] if len(words) > 1 else []))

    assert contents(shop) == before


def contents(shop: World) -> dict[str, bytes]:
    return {name: shop.storage.read(name) for name in shop.storage.list("") if not name.startswith("cache/")}


def test_a_plan_reads_like_this(shop: World, ask: Ask) -> None:
    assert ask("plan", "Model", "--dates", DATES).splitlines()[-1] == "nothing to do"
    land(shop, "2013-05-03", 99)

    lines = ask("plan", "Model", "--dates", DATES).splitlines()

    assert any(line.startswith("      build 2013-05-03: file changed: from ") for line in lines)
    assert "      unknown 2013-05-03: unknown until Sales 2013-05-03 is built" in lines
    assert lines[-1].startswith("would build 1 and at most ")
    assert "by earlier records" in lines[-1]


def test_a_plan_of_what_was_never_built_knows_no_time(shop: World, ask: Ask) -> None:
    nothing_built_yet(shop)

    assert "no time known yet of Sales, Clean" in ask("plan", "Model", "--dates", DATES)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (a_day_corrected, "file changed: from "),
        (code_edited, "code changed: shop.rules:keep"),
        (the_model_lost, "blob missing: sha256:"),
        (nothing_built_yet, "never built"),
        (a_day_missing, "has not landed"),
    ],
    ids=lambda value: getattr(value, "__name__", "says"),
)
def test_why_tells_the_part_that_changed(
    shop: World, ask: Ask, change: Callable[[World], None], says: str
) -> None:
    change(shop)

    assert says in ask("why", "Model", "--dates", DATES)


def test_why_tells_a_parameter_from_what_to_what(ask: Ask) -> None:
    assert "parameter changed: scale from 1 to 2" in ask("why", "Model", "--dates", DATES, "--scale", "2")


def test_why_tells_which_day_of_which_input(shop: World, ask: Ask) -> None:
    land(shop, "2013-05-03", 99)
    shop.built(MODEL, dates=DATES)

    said = ask("why", "Features", "--dates", "2013-05-04")

    assert "nothing would run" in said
    assert "input changed: Trailing 2013-05-04 from " in said


def test_why_remembers_a_failure(shop: World, ask: Ask) -> None:
    a_day_broken(shop)
    shop.run(MODEL, dates=DATES)

    assert "failed before: DataError: " in ask("why", "Model", "--dates", DATES)


def test_show_tells_a_record_part_by_part(shop: World, ask: Ask) -> None:
    said = ask("show", "Features", "--dates", "2013-05-05")

    for part in (
        "Features 2013-05-05", "  key          sha256:", "2 rows", "  because      never built",
        "shop.tasks:Features", "  environment  Python 3.", "  made from    Clean 2013-05-05",
        "Trailing finish 2013-05-05", "  read by ", "Total summarize 2013-05-05", "Model all",
        "shop string, amount int64, net int64, known int64",
    ):  # fmt: skip
        assert part in said, said


def test_show_finds_a_record_by_any_of_its_digests(shop: World, ask: Ask) -> None:
    [record] = Repository(shop.storage).records("Model")
    out = record.outputs["value"]

    for digest in (record.key, out["digest"], out["blob"]):
        assert ask("show", Digest(digest).short).startswith("Model all\n")


def test_show_in_json_holds_the_record_and_its_lineage(ask: Ask) -> None:
    [shown] = json.loads(ask("show", "Model", "--dates", DATES, "--json"))

    assert shown["recipe"]["task"] == "Model"
    assert {each["label"] for each in shown["upstream"]} == days("Features", 1, 2, 3, 4, 5, 6) | {
        "Total finish all"
    }
    assert shown["code"]["parts"]
    assert shown["environment"]["python"]


def test_show_of_what_is_not_up_to_date_says_what_to_run(shop: World, ask: Ask) -> None:
    code_edited(shop)

    said = ask("show", "Model", "--dates", DATES, expect=20)

    assert "is not up to date" in said
    assert "luigi --module shop.tasks Model" in said


def test_log_lists_runs_and_tells_one(shop: World, ask: Ask) -> None:
    a_day_broken(shop)
    run = shop.run(MODEL, dates=DATES).summary["run"]

    runs = json.loads(ask("log", "--json"))
    said = ask("log", run)

    assert sorted(each["status"] for each in runs) == ["complete", "failed"]
    assert "  failed  Model(" in said.splitlines()[0]
    assert "FAILED Sales 2013-05-03: DataError: " in said
    assert "complete" in ask("log")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["plan", "Modell"], 40, "No task Modell"),
        (["plan"], 2, "name a task"),
        (["plan", "--jsn"], 2, "did you mean --json?"),
        (["plan", "Model", "--scal", "2", "--dats", "2013"], 2, "expected Model with --dates, --scale; did"),
        (["gc", "--keepdays", "1"], 2, "expected headrace gc [--execute] [--keep-days N]"),
        (["gc", "--keepdays", "1"], 2, "did you mean --keep-days?"),
        (["gc", "--execut"], 2, "did you mean --execute?"),
        (["doctor", "extra"], 2, "unrecognized arguments: extra; expected headrace doctor"),
        (["card", "--jsn"], 2, "did you mean --json?"),
        (["log", "--jsn"], 2, "did you mean --json?"),
        (["diff", "Model", "--against", "a", "--with", "b"], 2, "give one"),
        (["plan", "Model", "--dates", "2013-99"], 40, "is not an interval"),
        (["show", "abcdef123456"], 40, "no record's key, digest or blob begins with"),
        (["log", "xyz"], 40, "names 0 runs"),
        (["log", "--days", "1"], 2, "unrecognized arguments: --days; expected headrace log [RUN]"),
    ],
)
def test_a_wrong_question_gets_a_plain_answer(ask: Ask, words: list[str], code: int, says: str) -> None:
    said = ask(*words, expect=code)

    assert says in said
    assert said.startswith(f"headrace {words[0]}: ")


def test_an_unknown_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plann"]) == 2
    assert "did you mean plan?" in capsys.readouterr().err


def test_a_module_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "--module", "nowhere", "Model"]) == 40
    assert "there is no module 'nowhere'" in capsys.readouterr().err


def test_a_plain_luigi_task_is_refused(shop: World, ask: Ask) -> None:
    shop.edit(
        "shop.tasks", "class Sales(Source):", "class Plain(luigi.Task):\n    pass\n\nclass Sales(Source):"
    )

    assert "is a plain Luigi task" in ask("plan", "Plain", expect=40)


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    said: Any = capsys.readouterr().out
    listed = [line.split()[0] for line in said.splitlines()[2:]]
    assert listed[:4] == ["plan", "why", "show", "log"]
    assert listed == [command.name for command in cli.COMMANDS]


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_help_of_a_command_explains_each_flag_of_its_own(
    command: cli.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command.name, "--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert command.help in said
    usage, *told = said.splitlines()
    if command.argument:
        assert command.argument in usage
    own = set(re.findall(r"--[a-z-]+", command.argument)) - {"--PARAMETER"}
    assert own == {line.split()[0] for line in told if line.startswith("  --")} - {"--module", "--json"}


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "--help"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE
        )
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (0, b"")


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"headrace {metadata.version('headrace')}\n"


def test_the_package_is_a_command_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "--help"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0
    assert done.stdout == f"{cli.usage()}\n"
