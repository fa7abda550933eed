"""`headrace fsck`: what is damaged is named, with whose it is and what heals it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.commands import fsck
from pipeline.release import inspection as handed_over
from pipeline.store import foreign, inspection
from pipeline.store.inspection import Need
from pipeline.store.local import LocalStorage
from pipeline.store.record import Record
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json
from tests.sales import DATES, MODEL, land
from tests.torture.damage import _write as overwrite
from tests.world import Ask, World

DAMAGED = 36


def root(world: World) -> Path:
    return Path(str(world.storage))


def record_of(world: World, task: str, partition: str, step: str = "build") -> Record:
    records = Repository(world.storage).records(task)
    return next(r for r in records if (r.recipe["partition"], r.recipe["step"]) == (partition, step))


def place_of(world: World, task: str, partition: str, step: str = "build") -> Path:
    """Where a value's blob lies."""
    return root(world) / blob_name(Digest(record_of(world, task, partition, step).outputs["value"]["blob"]))


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    overwrite(path, bytes(data))


def findings(said: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(said.splitlines()[0])[0]["findings"]
    return found


SOUND = re.compile(r"\n  sound(?:: nothing was ever kept there)?\n")
"""How a store is told to be sound, the online one being empty where nothing was released."""


@pytest.fixture
def told(shop: World, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """What fsck prints of a damaged store, and its last words."""

    def run(*words: str, expect: int = DAMAGED) -> tuple[str, str]:
        shop.forget()
        shop.session()
        capsys.readouterr()
        code = cli.main(["fsck", "--module", "shop.tasks", *words])
        said = capsys.readouterr()
        assert code == expect, said.out + said.err
        return said.out, said.err

    return run


def test_a_store_as_runs_leave_it_is_sound(shop: World, ask: Ask) -> None:
    """After corrections and other versions, too: what is superseded is no damage."""
    land(shop, "2013-05-02", 99)
    shop.edit("shop.rules", "greater_equal", "greater")
    assert shop.built(MODEL, dates=DATES)

    said = ask("fsck", "--full")

    records = sum(1 for _ in shop.storage.list("records"))
    assert f"full: {records} records" in said
    assert len(SOUND.findall(said)) == 2
    assert "note" not in said


def test_other_bytes_are_found_when_all_are_read(shop: World, told: Any, ask: Ask) -> None:
    flipped(place_of(shop, "Features", "2013-05-03"))

    assert ask("fsck").count("sound") == 2
    said, last = told("--full")

    assert "damages   Features 2013-05-03" in said
    assert "heals     python -m luigi --module shop.tasks Features --dates 2013-05-03-2013-05-04" in said
    assert last == f"headrace fsck: {shop.storage}: 1 damaged blob\n"


@pytest.mark.thorough
def test_a_sample_reads_a_share_that_its_seed_draws(shop: World, told: Any, ask: Ask) -> None:
    assert "sample of 0%" in ask("fsck", "--sample", "0%")
    for path in (root(shop) / "blobs").rglob("*"):
        if path.is_file():
            flipped(path)

    first = findings(told("--sample", "40%", "--seed", "a", "--json")[0])
    again = findings(told("--sample", "40%", "--seed", "a", "--json")[0])
    other = findings(told("--sample", "40%", "--seed", "b", "--json")[0])

    assert first == again != other
    assert 0 < len(first) < sum(1 for _ in shop.storage.list("blobs"))


def test_what_is_no_share_is_refused(ask: Ask) -> None:
    for share in ("5", "x%", "-1%", "101%", "nan%"):
        assert "such as 5%" in ask("fsck", f"--sample={share}", expect=40)


def test_sizes_are_seen_at_a_glance(shop: World, told: Any) -> None:
    overwrite(place_of(shop, "Features", "2013-05-03"), b"")
    path = place_of(shop, "Clean", "2013-05-01")
    size = path.stat().st_size
    overwrite(path, path.read_bytes()[:-1])

    said, _ = told()

    assert "it holds 0 bytes" in said
    assert f"it holds {size - 1} bytes, expected {size}" in said


def test_without_the_check_of_sizes_a_glance_sees_nothing(
    shop: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard itself."""
    path = place_of(shop, "Clean", "2013-05-01")
    overwrite(path, path.read_bytes()[:-1])
    wrong = inspection.wrong

    def by_digest(storage: Storage, name: str, need: Need | None, size: int, is_read: bool) -> str:
        return wrong(storage, name, None, size, is_read)

    monkeypatch.setattr(inspection, "wrong", by_digest)

    assert ask("fsck").count("sound") == 2


def test_without_the_digest_of_all_bytes_a_flip_is_not_seen(
    shop: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard itself."""
    flipped(place_of(shop, "Features", "2013-05-03"))

    def named(storage: LocalStorage, name: str, size: int) -> object:
        return digest_bytes(storage.read(name)).__class__(f"sha256:{name[13:].replace('/', '')}")

    monkeypatch.setattr(inspection, "_digest", named)

    assert ask("fsck", "--full").count("sound") == 2


def test_a_record_that_does_not_hold_is_named_with_its_partition(shop: World, told: Any) -> None:
    record = record_of(shop, "Clean", "2013-05-04")
    flipped(root(shop) / f"records/Clean/{record.key.hex[:2]}/{record.key.hex}/1")

    said, last = told()

    assert "damages   Clean 2013-05-04" in said
    assert "Clean --dates 2013-05-04-2013-05-05" in said
    assert "1 damaged record" in last


@pytest.mark.thorough
def test_a_record_in_the_folder_of_another_task_is_damaged(shop: World, told: Any) -> None:
    record = record_of(shop, "Clean", "2013-05-04")
    name = f"{record.key.hex[:2]}/{record.key.hex}/1"
    shop.storage.put({f"records/Other/{name}": shop.storage.read(f"records/Clean/{name}")})

    assert f"its place would be records/Clean/{name}" in told()[0]


@pytest.mark.thorough
def test_a_record_that_is_gone_is_missed_by_those_that_read_it(shop: World, told: Any) -> None:
    record = record_of(shop, "Clean", "2013-05-04")
    name = f"records/Clean/{record.key.hex[:2]}/{record.key.hex}/1"
    shop.storage.delete([name])

    said, _ = told()
    assert f"lost record       {name}" in said

    shop.storage.delete(list(shop.storage.list("runs")))
    said, _ = told()
    assert "no record tells of Clean 2013-05-04, and others were made from it" in said


def test_a_record_that_nobody_read_and_the_last_run_used_is_lost(shop: World, told: Any) -> None:
    shop.storage.delete(names := list(shop.storage.list("records/Model")))

    said, _ = told()

    assert f"lost record       {names[0]}" in said


@pytest.mark.thorough
def test_a_record_that_nobody_uses_is_told_of_by_the_run_that_wrote_it(shop: World, ask: Ask) -> None:
    """No damage: all that is there is whole. A collected record looks the same."""
    shop.storage.delete(list(shop.storage.list("records/Model")))
    shop.storage.delete([name for name in shop.storage.list("runs") if "/settled/" in name])

    said = ask("fsck")

    assert "absent record     records/Model/" in said
    assert "heals     python -m luigi --module shop.tasks Model --dates 2013-05-01-2013-05-07" in said
    assert "sound; 3 notes" in said  # nobody names its blobs


def test_after_healing_a_run_misses_records_of_which_only_notes_tell(shop: World, ask: Ask) -> None:
    shop.built(MODEL, dates=DATES)
    shop.storage.delete([*shop.storage.list("records"), *shop.storage.list("runs")])
    assert not shop.built(MODEL, dates=DATES)  # what was remembered says that all is there

    ask("fsck", "--heal")

    assert shop.built(MODEL, dates=DATES)


@pytest.mark.thorough
def test_a_gap_in_the_attempts_of_an_action_is_damage(shop: World, told: Any) -> None:
    record = record_of(shop, "Clean", "2013-05-04")
    folder = f"records/Clean/{record.key.hex[:2]}/{record.key.hex}"
    shop.storage.move(f"{folder}/1", f"{folder}/3")

    said, _ = told()

    assert f"{folder}/1" in said
    assert f"{folder}/2" in said


@pytest.mark.thorough
def test_damage_says_which_models_were_made_from_it(shop: World, told: Any) -> None:
    made = "from sklearn.dummy import DummyRegressor\n        return DummyRegressor().fit([[0.0]], [1.0])"
    shop.edit("shop.tasks", 'return {"scale": self.scale,', f"{made}\n        {{")
    assert shop.built(MODEL, dates=DATES) == ["Model all"]
    place_of(shop, "Sales", "2013-05-01").unlink()

    said, _ = told()

    assert "lost blob" in said
    assert "reaches   Model all (model " in said


@pytest.mark.thorough
def test_code_that_is_told_of_nowhere_else_damages_no_value(shop: World, told: Any) -> None:
    code = Digest(record_of(shop, "Clean", "2013-05-04").recipe["code"])
    (root(shop) / blob_name(code)).unlink()

    said, _ = told()

    assert "damages   Clean 2013-05-01..2013-05-06 (6 days)" in said
    assert "it tells of their code alone, and comes back with the next build by that code" in said


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("blobs/sha256/ab/short", "stray"),
        ("records/Clean/notes", "stray"),
        ("records/Clean/with space", "stray"),
        ("else", "stray"),
        ("tmp/0123", "temporary"),
    ],
)
def test_files_of_nobodys_are_found_and_moved(shop: World, ask: Ask, told: Any, name: str, kind: str) -> None:
    path = root(shop) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"somebody's")
    path.chmod(foreign.READ_ONLY)
    os.utime(path, (0, 0))
    words = ("fsck", "--heal", "--json")
    said = ask(*words) if kind == "temporary" else told(*words[1:])[0]

    [found] = findings(said)
    assert (found["kind"], found["name"], found["is_mended"]) == (kind, name, True)
    assert not path.exists()
    [moved] = (root(shop) / "trash").glob(f"*/*/{name}")
    assert moved.read_bytes() == b"somebody's"
    assert "note" not in ask("fsck")


@pytest.mark.thorough
def test_the_temporary_of_a_running_process_is_left_alone(shop: World, ask: Ask) -> None:
    (root(shop) / "tmp" / "0123").write_bytes(b"half")

    assert len(SOUND.findall(ask("fsck", "--heal"))) == 2
    assert (root(shop) / "tmp" / "0123").exists()


@pytest.mark.thorough
@pytest.mark.parametrize("mode", [0o000, 0o644, 0o777, 0o4444])
def test_a_mode_is_found_and_mended(shop: World, told: Any, ask: Ask, mode: int) -> None:
    path = place_of(shop, "Clean", "2013-05-01")
    path.chmod(mode)

    said, _ = told("--heal")

    assert f"its mode is {mode:04o}, expected 0444" in said
    assert path.stat().st_mode & 0o7777 == foreign.READ_ONLY
    assert ask("fsck").count("sound") == 2


def test_what_is_healed_is_moved_and_built_again_by_what_is_named(shop: World, told: Any, ask: Ask) -> None:
    before = {record.key: record.outputs for record in Repository(shop.storage).records("Features")}
    flipped(place_of(shop, "Features", "2013-05-03"))
    flipped(place_of(shop, "Trailing", "2013-05-01", "summarize"))

    said, _ = told("--full", "--heal")
    commands = [line.split()[5:] for line in said.splitlines() if line.startswith("      python -m luigi")]
    assert [words[0] for words in commands] == ["Trailing", "Features", "Total"]  # two sums are equal
    for task, _, dates in commands:
        shop.run(f"shop.tasks.{task}", dates=dates)

    assert len(list((root(shop) / "trash").glob("*/*/blobs/sha256/*/*"))) == 2
    assert len(SOUND.findall(ask("fsck", "--full"))) == 2
    assert before == {record.key: record.outputs for record in Repository(shop.storage).records("Features")}


def test_names_say_nothing_to_a_terminal(shop: World, told: Any) -> None:
    (root(shop) / "records" / "\x1b[2J").write_bytes(b"")
    (root(shop) / os.fsdecode(b"\xff")).write_bytes(b"")

    said, _ = told()

    assert "records/\\x1b[2J" in said
    assert "\\udcff" in said
    assert "\x1b" not in said


@pytest.mark.thorough
def test_what_is_told_is_bounded(shop: World, told: Any) -> None:
    for number in range(30):
        (root(shop) / f"else{number}").touch()

    said, last = told()

    assert said.count("stray  ") == 5
    assert "  stray             and 26 more (--json lists all)" in said
    assert "30 strays" in last
    assert len(findings(told("--json")[0])) == 30


def test_what_may_be_lost_for_good_is_told_before_what_was_only_set_wrongly(shop: World, told: Any) -> None:
    for path in list((root(shop) / "records").rglob("1"))[:19]:
        path.chmod(0o644)
    flipped(place_of(shop, "Features", "2013-05-03"))

    for words in (["--full"], ["--full", "--heal"]):
        said, _ = told(*words)
        kinds = [line[2:19].rstrip() for line in said.splitlines() if re.match(r"  \S", line)]
        assert kinds[:2] == ["damaged blob", "wrong mode"]
        assert "  wrong mode        and 15 more (--json lists all)" in said
        assert "      python -m luigi --module shop.tasks Features" in said


def test_every_kind_of_finding_has_its_place() -> None:
    named = {value for module in (inspection, handed_over) for name, value in vars(module).items()
             if name.isupper() and isinstance(value, str) and not name.startswith("_")}  # fmt: skip

    assert set(fsck._GRAVITY) == named


def test_what_another_checkouts_code_made_is_healed_there(shop: World, told: Any) -> None:
    """Here, the command that builds the task again finds its own value, and leaves the other as it is."""
    edit = ("shop.tasks", '"scale": self.scale,', '"scale": self.scale + 1,')
    shop.edit(*edit)
    shop.clock.advance(hours=1)
    shop.built(MODEL, dates=DATES)
    newest = max(Repository(shop.storage).records("Model"), key=lambda each: str(each.body["started_at"]))
    flipped(root(shop) / blob_name(Digest(newest.outputs["value"]["blob"])))
    line = f"python -m luigi --module shop.tasks Model --dates {DATES}"
    there, _ = told("--full")
    shop.edit(edit[0], *reversed(edit[1:]))

    here, _ = told("--full")

    assert f"      heals     {line}\n" in there
    assert f"      {line}\n" in there.partition("is built again")[2]
    code = Digest(newest.recipe["code"]).short
    assert f"      heals     {line}, in a checkout of the code {code}, which made it: " in here
    assert "is built again, after --heal" not in here


@pytest.mark.thorough
def test_another_store_can_be_named(shop: World, told: Any, ask: Ask, tmp_path: Path) -> None:
    assert f"{root(shop)}: quick" in ask("fsck", str(root(shop)))
    assert "there is no store at" in ask("fsck", str(tmp_path / "none"), expect=40)
    assert "not allowed with" in ask("fsck", "--full", "--sample", "5%", expect=2)


def test_a_folder_that_is_no_store_is_left_alone(told: Any, tmp_path: Path) -> None:
    """One word too few of a path, and --heal would move a whole project to the trash."""
    for name in ("landing/2013-05-01.csv", "keys/release.key", "luigi.cfg"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text("mine")

    _, last = told(str(tmp_path / "data"), "--heal", expect=35)

    assert "holds 'keys' and no file `format`" in last
    assert sorted(os.listdir(tmp_path / "data")) == ["keys", "landing", "luigi.cfg"]


@pytest.mark.parametrize("wrong", [{"key": "x"}, {"task": "../../x"}])
def test_a_ledger_that_names_no_record_is_as_good_as_none(shop: World, ask: Ask, wrong: Any) -> None:
    for name in list(shop.storage.list("runs")):
        if "/builds/" in name:
            told = [{**build, **wrong} for build in parse_json(shop.storage.read(name))["builds"]]
            shop.storage.replace(name, canonical_json({"builds": told}))

    assert len(SOUND.findall(ask("fsck"))) == 2
    assert "nothing was built yet" in ask("doctor")


def test_a_store_is_collected_once_fsck_moved_aside_what_stood_in_the_way(
    shop: World, told: Any, ask: Ask
) -> None:
    """What a collection refuses is what fsck finds, and where that went is in nobody's way."""
    place = root(shop) / "records" / "Clean" / "link"
    place.symlink_to("nowhere")
    ask("gc", expect=35)
    shop.storage.replace("claims/note", b"")
    shop.storage.replace("records/notes", b"")

    told("--heal")

    assert len(SOUND.findall(ask("fsck"))) == 2
    assert "there is nothing to collect" in ask("gc", "--trash-days", "0", "--execute")
    ask("gc", "--trash-days", "0", "--execute")
    assert [path for path in (root(shop) / "trash").rglob("*") if not path.is_dir()] == []


def test_a_value_is_healed_though_records_on_the_way_to_it_are_gone(shop: World) -> None:
    """What runs remember of a stage hides that: only the records tell it."""
    value = shop.load(MODEL, dates=DATES)
    overwrite(place_of(shop, "Model", "all"), b"x" * place_of(shop, "Model", "all").stat().st_size)
    overwrite(place_of(shop, "Total", "all", "finish"), b"")
    for task in ("Total", "Features", "Clean"):
        shop.storage.delete([n for n in shop.storage.list(f"records/{task}") if hash_of(n) % 2])

    assert shop.load(MODEL, dates=DATES) == value


def hash_of(name: str) -> int:
    return digest_bytes(name.encode()).hex.encode()[0]
