"""`keygen`: a pair of keys, and nothing that was there before is lost."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.release.signing import Signer, Trust

Said = pytest.CaptureFixture[str]


def keygen(*words: str) -> int:
    return cli.main(["keygen", "--module", "pipeline", *words])


def test_it_makes_a_pair_and_says_what_each_is_for(tmp_path: Path, capsys: Said) -> None:
    key = tmp_path / "keys" / "release.key"

    assert keygen(str(key)) == 0

    private, public = capsys.readouterr().out.splitlines()
    signer = Signer.load(key)
    assert private.startswith(f"{key} signs releases: let [headrace] release_key name it")
    assert public.startswith(f"{key}.pub is its public part, {signer.key.short}: pin it")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert signer.key in Trust.load(Path(f"{key}.pub"))


def test_in_json_it_names_the_key_and_the_files(tmp_path: Path, capsys: Said) -> None:
    key = tmp_path / "release.key"

    assert keygen(str(key), "--json") == 0

    assert json.loads(capsys.readouterr().out) == {
        "key": Signer.load(key).key,
        "private": str(key),
        "public": f"{key}.pub",
    }


def test_it_overwrites_nothing(tmp_path: Path, capsys: Said) -> None:
    key = tmp_path / "release.key"
    key.write_text("precious")

    assert keygen(str(key)) == 40

    assert f"headrace keygen: {key} exists, and a key is never overwritten" in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("words", [["/"], [""], ["."]], ids=str)
def test_without_the_name_of_a_file_it_makes_none(words: list[str], capsys: Said) -> None:
    assert keygen(*words) == 40

    assert "expected the name of a file: headrace keygen FILE" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["a", "b"], ["--force"]], ids=str)
def test_it_takes_one_word(words: list[str], capsys: Said) -> None:
    assert keygen(*words) == 2

    assert "expected headrace keygen FILE" in capsys.readouterr().err
