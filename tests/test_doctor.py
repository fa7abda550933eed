"""`headrace doctor`: what a machine, its disks, keys and configuration lack is said, with what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.build import session as sessions
from pipeline.clock import machine_now_ns
from pipeline.commands import checkup, doctor
from pipeline.errors import ConfigurationError
from pipeline.release.signing import generate
from pipeline.store import probe as probing
from pipeline.store.local import LocalStorage
from pipeline.store.probe import probe
from pipeline.values.check import Outcome
from tests.world import World

UNFIT = 37


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store in which something is."""
    LocalStorage(tmp_path / "store").put({"records/x": b"", "blobs/x": b""})
    return tmp_path / "store"


def told(outcomes: Any, name: str) -> Outcome:
    [found] = [outcome for outcome in outcomes if outcome.name == name]
    assert isinstance(found, Outcome)
    return found


def test_a_sound_folder_passes_and_nothing_stays_behind(root: Path) -> None:
    before = sorted(root.rglob("*"))

    found = list(probe(root))

    assert {outcome.status for outcome in found} <= {"pass", "warn"}  # of the file system that tests run on
    assert told(found, "links").why == "a name is created once, and replaced whole"
    assert told(found, "syncing").status == "pass"
    assert sorted(root.rglob("*")) == before


def test_a_store_that_is_not_there_yet_is_tried_where_it_would_be(tmp_path: Path) -> None:
    found = list(probe(tmp_path / "none" / "store"))

    assert "the first run makes it" in told(found, "folder").why
    assert told(found, "links").status == "pass"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_anybody_can_write_fails(root: Path) -> None:
    root.chmod(0o777)

    found = told(probe(root), "permissions")

    assert (found.status, f"chmod o-w {root}" in found.why) == ("fail", True)


def test_a_store_of_links_fails(root: Path, tmp_path: Path) -> None:
    shutil.move(root / "blobs", tmp_path / "blobs")
    (root / "blobs").symlink_to(tmp_path / "blobs")

    found = told(probe(root), "one file system")

    assert found.status == "fail"
    assert "blobs are links: move the store whole" in found.why


@pytest.mark.parametrize(
    ("kind", "status", "why"),
    [
        ("ext4", "pass", "ext4"),
        ("tmpfs", "warn", "a power cut takes all"),
        ("nfs4", "warn", "prefer a local disk"),
        ("fuse.sshfs", "warn", "prefer a local disk"),
        ("overlay", "warn", "mount a volume"),
        ("minix", "warn", "not one that the store was tried on"),
    ],
)
def test_what_a_file_system_is_known_for_is_said(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, status: str, why: str
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"1 0 8:1 / / rw - ext3 /dev/a rw\n2 1 8:2 / {root} rw,relatime shared:1 - {kind} /dev/b rw\n"
        f"3 1 8:3 / {root}-other rw - xfs /dev/c rw\n"
    )
    monkeypatch.setattr(probing, "_MOUNTS", str(mounts))

    found = told(probe(root), "file system")

    assert (found.status, why in found.why) == (status, True)


def test_a_name_that_can_be_created_twice_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where hard links are copies that replace."""
    monkeypatch.setattr(os, "link", lambda one, name: shutil.copy(one, name))

    found = told(probe(root), "links")

    assert found.status == "fail"
    assert found.why == "a name was created twice: keep the store on a file system that has hard links"


def test_a_disk_that_does_not_sync_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(probing, "fsync", refuse)

    assert told(probe(root), "syncing").why.startswith("Input/output error: nothing that is stored")


def test_a_file_system_with_another_clock_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "machine_now_ns", lambda: machine_now_ns() + 3600 * 10**9)

    found = next(each for each in probe(root) if each.name == "clock")

    assert found.status == "fail"
    assert "set both by NTP" in found.why


@pytest.mark.parametrize(
    ("found", "declared", "status"),
    [
        ("3.8.1", "luigi<3.9,>=3.8", "pass"),
        ("3.9.0", "luigi<3.9,>=3.8", "fail"),
        ("3.10", "luigi<3.9,>=3.8", "fail"),
        ("23.0.0rc1", "pyarrow>=23", "pass"),
        ("22.9", "pyarrow>=23", "fail"),
        ("", "pyarrow>=23", "fail"),
        ("1", "any", "pass"),
    ],
)
def test_versions_are_held_to_what_is_declared(found: str, declared: str, status: str) -> None:
    assert checkup._version("it", found, declared).status == status


@pytest.fixture
def answers(shop: World, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str, expect: int = 0) -> str:
        capsys.readouterr()
        shop.session()
        assert cli.main(["doctor", "--module", "shop.tasks", *words]) == expect
        said = capsys.readouterr()
        return said.out + said.err

    return run


def test_a_machine_that_is_fit_is_told_so(shop: World, answers: Any) -> None:
    generate(shop.key)

    said = answers()

    assert f"offline store {shop.storage}" in said
    assert f"online store {shop.online}" in said
    assert "ok    release key: " in said
    assert "ok    made with: the newest values were made with what is installed" in said
    assert json.loads(answers("--json"))["keys"][0]["status"] == "pass"


def test_what_fails_ends_with_its_own_code(shop: World, answers: Any) -> None:
    generate(shop.key)
    shop.key.chmod(0o644)
    shop.set("headrace", "promotion", "perhaps")

    said = answers(expect=UNFIT)

    assert f"fail  release key: {shop.key} has the mode 0644: others can sign; chmod 600" in said
    assert "fail  options: [headrace] promotion is 'perhaps'; set it to manual or automatic" in said
    assert "headrace doctor: 2 checks failed: release key, options" in said


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("durability", "slow", "fail  store: [headrace] durability is 'slow'; set it to full or fast"),
        ("online", "s3://", "fail  online: "),
    ],
)
def test_a_store_that_can_not_be_opened_is_a_check_that_failed(
    shop: World, capsys: pytest.CaptureFixture[str], option: str, value: str, says: str
) -> None:
    generate(shop.key)
    shop.set("headrace", "store", str(shop.storage))
    shop.set("headrace", option, value)
    sessions.use(None)
    capsys.readouterr()

    assert cli.main(["doctor", "--module", "shop.tasks"]) == UNFIT

    said = capsys.readouterr()
    assert says in said.out
    assert "ok    release key: " in said.out
    assert re.search(r"checks? failed: (?:store|online)\b", said.err)


@pytest.mark.thorough
def test_keys_that_do_not_fit_are_told(shop: World, answers: Any) -> None:
    shop.set("headrace", "make_release_key", "false")
    assert "warn  release key: there is none" in answers()
    generate(shop.key)
    generate(shop.folder / "other")
    shop.set("headrace", "trusted_keys", str(shop.folder / "other.pub"))
    assert "no reader follows what it signs" in answers(expect=UNFIT)
    (shop.folder / "other.pub").write_text("nothing")
    assert "fail  trusted keys" in answers(expect=UNFIT)
    shop.key.write_text("nothing")
    assert "can't be read" in answers(expect=UNFIT)


@pytest.mark.thorough
def test_a_clock_before_the_newest_run_fails(shop: World, answers: Any) -> None:
    shop.clock.advance(days=-1)

    assert "set the clock (NTP)" in answers(expect=UNFIT)


@pytest.mark.thorough
def test_other_libraries_than_those_of_the_newest_values_are_told(
    shop: World, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = checkup.installed
    monkeypatch.setattr(checkup, "installed", lambda name: "99.0" if name == "pyarrow" else installed(name))

    said = answers()

    assert (
        f"warn  made with: the newest values were made with pyarrow {installed('pyarrow')}, now 99.0" in said
    )


def test_too_many_words_are_refused(shop: World) -> None:
    with pytest.raises(ConfigurationError, match="unrecognized"):
        list(doctor.main(["all"], json=False))
