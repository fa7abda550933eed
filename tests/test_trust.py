"""The trust boundary: what may not be loaded, followed, replayed or shown, and the guards that see to it."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.build import landing, screen
from pipeline.build.landing import read_whole
from pipeline.errors import ConfigurationError, DataError, Expired, StoreUnwritable, Untrusted
from pipeline.release import configured, glance, signed
from pipeline.release.aliases import Generation, place_of
from pipeline.release.reader import Reader
from pipeline.release.registry import Registry
from pipeline.release.signing import Signer, Trust
from pipeline.store.local import LocalStorage
from pipeline.values import digest, intake, parquet, unpacking
from pipeline.values.digest import canonical_json, parse_json
from tests import factory, released
from tests.hostile import Case, every, parquets
from tests.mill import ROOT
from tests.released import ALIAS, promoted
from tests.torture import parsers
from tests.world import FakeClock

EXPIRES_DAYS = 10
LOADERS = {
    "pickle": "*",
    "_pickle": "*",
    "cPickle": "*",
    "dill": "*",
    "cloudpickle": "*",
    "joblib": "*",
    "marshal": "*",
    "shelve": "*",
    "torch": "*",
    "keras": "*",
    "yaml": "*",
    "numpy": ("load",),
    "pandas": ("read_pickle", "read_hdf"),
}


# Pickle is never loaded from a store.


def loads(source: str) -> Iterator[str]:
    """What in some source could load a pickle: an import of who does, or a call of it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if LOADERS.get(name.name.split(".")[0]) == "*")
        if isinstance(node, ast.ImportFrom) and LOADERS.get((node.module or "").split(".")[0]) == "*":
            yield str(node.module)
        if isinstance(node, ast.Attribute) and node.attr in (
            "load",
            "loads",
            "read_pickle",
            "read_hdf",
            "Unpickler",
        ):
            owner = ast.unparse(node.value)
            if owner not in (
                "json",
                "Trust",
                "Signer",
                "signing.Trust",
                "signing.Signer",
                "pipeline",
                "loading",
            ):
                yield f"{owner}.{node.attr}"
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "weights_only"):
            yield str(node.arg)


ALLOWED = {
    "pipeline/build/hand.py": ["ForkingPickler.loads"],  # between a run and what it began: never at rest
    "pipeline/build/maker.py": ["ForkingPickler.loads", "ForkingPickler.loads"],
    "pipeline/values/model.py": ["skops.loads"],  # by our own list of types
    "pipeline/release/trial.py": ["served.load", "served.load", "served.load"],  # a bundle, verified
}


def test_no_path_from_a_store_loads_a_pickle() -> None:
    found = {}
    for path in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "tasks").glob("*.py")]:
        name = path.relative_to(ROOT).as_posix()
        if (seen := sorted(loads(path.read_text(encoding="utf-8")))) != ALLOWED.get(name, []):
            found[name] = seen

    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import pandas as pd\npd.read_pickle(x)",
        "np.load(x)",
        "import yaml",
        "torch.load(x, weights_only=True)",
        "np.load(x, allow_pickle=True)",
        "from pickle import *",
        "io.Unpickler(x)",
    ],
)
def test_a_load_of_a_pickle_would_be_noticed(source: str) -> None:
    assert list(loads(source))


def test_nothing_writes_csv_so_nothing_writes_formulas() -> None:
    """Who exports a table for a spreadsheet escapes what begins with = + - @: the framework exports none."""
    names = ("to_csv", "write_csv", "csv.writer", "csv.DictWriter", "to_excel")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "pipeline").rglob("*.py")]

    assert not [name for name in names for source in sources if name in source]
    assert callable(csv.writer)


# Bombs, and files that kill.


def test_a_file_that_kills_its_reader_is_one_bad_file() -> None:
    right = parquets.file(parsers.table())
    screen.require_harmless(right, "sales.parquet")
    [pid] = [each._process.pid for number, each in screen._screens.items() if number == os.getpid()]
    os.kill(pid, signal.SIGSEGV)

    with pytest.raises(
        DataError, match=r"sales.parquet: the process that tried to read it ended with SIGSEGV"
    ):
        screen.require_harmless(right, "sales.parquet")

    screen.require_harmless(right, "sales.parquet")


def test_a_process_for_parquet_is_begun_once_and_never_for_text(monkeypatch: pytest.MonkeyPatch) -> None:
    right = parquets.file(parsers.table())
    screen.require_harmless(right, "one.parquet")
    monkeypatch.setattr(screen, "Screen", None)  # a second one would raise

    for name in ("two.parquet", "three.parquet"):
        screen.require_harmless(right, name)


@pytest.mark.thorough
def test_no_hostile_file_takes_memory_beyond_what_is_allowed() -> None:
    """All of them, in a process that has no more; what each child takes is limited by itself."""
    program = (
        "import resource, sys\n"
        "from tests.hostile import files, archives, documents, parquets\n"
        "from pipeline.errors import HeadraceError\n"
        "every = (*files.cases(), *archives.cases(), *documents.cases(), *parquets.cases())\n"
        "words = ('bomb', 'beyond', 'deep')\n"
        "bombs = [each for each in every if any(word in each.name for word in words)]\n"
        "parquets.rows_bomb(), parquets.text_bomb(False), files.zeros(257 << 20)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for case in bombs:\n"
        "    if 'bomb of a page' in case.name: continue  # 300 MB are held where it is made\n"
        "    try: case.attack()\n"
        "    except HeadraceError: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) << 10 < 3 * unpacking.FREE_BYTES


def test_a_pipe_or_device_that_never_ends_is_no_landed_file(tmp_path: Path) -> None:
    pipe, device = tmp_path / "a.csv", tmp_path / "b.csv"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")

    for path in (pipe, device):
        with pytest.raises(DataError, match="is a pipe or a device: drop a file"):
            read_whole(str(path))


def test_a_landed_file_beyond_all_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    with path.open("wb") as file:
        file.truncate(landing.MAX_FILE_BYTES + 1)  # without a block on the disk

    with pytest.raises(DataError, match=r"has 4294967297 bytes, and files are read whole, up to 4294967296"):
        read_whole(str(path))


# Links in a store.


@pytest.mark.parametrize("name", ["records/T/ab/1", "blobs/sha256/ab/cd"])
def test_nothing_is_written_or_removed_through_a_linked_folder(tmp_path: Path, name: str) -> None:
    storage, elsewhere = LocalStorage(tmp_path / "store"), tmp_path / "elsewhere"
    storage.put({"format": b"x"})
    elsewhere.mkdir()
    (elsewhere / name.rpartition("/")[2]).write_bytes(b"precious")
    folder = tmp_path / "store" / name.rpartition("/")[0]
    folder.parent.mkdir(parents=True)
    folder.symlink_to(elsewhere)

    for change in (
        lambda: storage.put({f"{name}x": b"y"}),
        lambda: storage.replace(name, b"y"),
        lambda: storage.delete([name]),
    ):
        with pytest.raises(
            StoreUnwritable, match=r"a symbolic link in a folder's place .*remove symbolic links"
        ):
            change()
    assert [path.name for path in elsewhere.iterdir()] == [name.rpartition("/")[2]]
    assert list(storage.list("")) == ["format"]


# Replay of what was signed once.


class Signed:
    """An online store whose generations expire, and a service that reads it."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        plain = released.registry(folder, clock=self.clock)
        signer = Signer.load(folder / "release.key")
        self.registry = Registry(plain.storage, plain.trust, signer, self.clock, EXPIRES_DAYS)
        self.folder = folder
        promoted(self.registry, released.small())

    def read(self) -> Reader:
        home = self.folder / "home"
        return Reader(self.registry.storage, ALIAS, self.registry.trust, home, poll_s=None, clock=self.clock)


@pytest.fixture
def expiring(tmp_path: Path) -> Signed:
    return Signed(tmp_path)


def test_a_frozen_store_is_noticed_and_the_old_model_goes_on(expiring: Signed) -> None:
    with expiring.read() as reader:
        expiring.clock.advance(days=EXPIRES_DAYS, seconds=-1)
        assert not reader.refresh()
        assert reader.trouble is None
        expiring.clock.advance(seconds=1)

        assert not reader.refresh()

        assert str(reader.trouble).startswith(
            "Expired: generation 1 of 'small' counted until 2013-06-11T00:00:00"
        )
        assert reader.predict([{"kind": "a", "size": 1.0, "count": 1}]).generation == 1
        expiring.registry.renew(ALIAS)
        assert reader.refresh()
        assert reader.trouble is None


def test_no_service_begins_with_what_has_expired_be_it_kept_at_home(expiring: Signed) -> None:
    expiring.read().close()
    expiring.clock.advance(days=EXPIRES_DAYS)

    with pytest.raises(Expired, match=r"counted until 2013-06-11T00:00:00.00:00, and there is no newer one"):
        expiring.read()


def test_what_serves_is_renewed_once_half_of_its_time_is_over(expiring: Signed) -> None:
    assert expiring.registry.renew(ALIAS) is None
    expiring.clock.advance(days=EXPIRES_DAYS / 2, seconds=1)

    made = expiring.registry.renew(ALIAS)

    first = expiring.registry.history(ALIAS)[0]
    assert made is not None
    assert (made.number, made.step, made.bundle, made.is_automatic) == (2, "renew", first.bundle, True)
    assert made.expires_at == (expiring.clock() + timedelta(days=EXPIRES_DAYS)).isoformat(timespec="seconds")
    assert expiring.registry.renew(ALIAS) is None


def test_what_was_promoted_before_generations_expired_is_renewed_and_otherwise_nothing_is(
    tmp_path: Path,
) -> None:
    plain = released.registry(tmp_path)
    first = promoted(plain, released.small())
    assert first.expires_at is None
    assert plain.renew(ALIAS) is None

    made = Registry(
        plain.storage, plain.trust, Signer.load(tmp_path / "release.key"), FakeClock(), EXPIRES_DAYS
    ).renew(ALIAS)

    assert made is not None
    assert (made.number, made.bundle, made.why) == (
        2,
        first.bundle,
        "generation 1 counts until it is replaced",
    )
    assert plain.current(ALIAS) == plain.newest(ALIAS) == made


@pytest.mark.thorough
def test_a_renewal_is_no_way_around_a_rollback(expiring: Signed) -> None:
    promoted(expiring.registry, released.small(0.01))
    expiring.registry.rollback(ALIAS, "too many alarms")
    expiring.clock.advance(days=EXPIRES_DAYS - 1)

    made = expiring.registry.renew(ALIAS)

    assert made is not None
    assert made.bundle == released.small().digest
    assert expiring.registry.is_barred(ALIAS, expiring.registry.history(ALIAS)[1].model)


def test_an_expiry_can_not_be_taken_from_a_generation(expiring: Signed) -> None:
    place = place_of(ALIAS, 1)
    body = parse_json(expiring.registry.storage.read(place))
    del body["generation"]["expires_at"]
    expiring.registry.storage.replace(place, canonical_json(body))

    with pytest.raises(Untrusted):
        expiring.registry.current(ALIAS)


@pytest.mark.thorough
def test_a_run_renews_what_serves_and_no_other_run_does(shipped: Path, tmp_path: Path) -> None:
    with factory.copied(shipped, tmp_path / "factory") as world:
        world.set("headrace", "expires_days", "10")

        def serves() -> Generation:
            world.session()
            found = configured.registry().current("breakage")
            assert found is not None
            return found

        for number, step, days in ((2, "renew", 4), (2, "renew", 2), (3, "renew", 0)):
            assert world.run(factory.SHIP).is_complete
            assert (serves().number, serves().step) == (number, step)
            world.clock.advance(days=days)
        assert world.run(factory.SHIP).built == []
        world.set("headrace", "expires_days", "1")
        with pytest.raises(
            ConfigurationError, match="expires_days is '1'; give a number of days from 2 to 3650"
        ):
            serves()


# The guards themselves, each taken away: the suite goes red.


def refused(cases: list[Case]) -> list[str]:
    """The cases that do not end in their errors."""
    wrong = []
    for case in cases:
        try:
            case.attack()
        except case.error:
            continue
        except Exception:
            pass
        wrong.append(case.name)
    return wrong


def quick(*beginnings: str) -> list[Case]:
    return [case for case in every() if case.name.startswith(beginnings) and not case.is_costly]


def test_without_the_check_of_signatures_the_suite_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = quick("generation", "signature", "manifest, not")
    assert refused(cases) == []

    monkeypatch.setattr(Trust, "verify", lambda self, purpose, data, signature: None)

    assert {"generation, bundle changed", "signature, by a stranger", "manifest, not signed"} <= set(
        refused(cases)
    )


def test_without_the_check_of_keys_given_twice_the_suite_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    first = parsers.JSONL.splitlines()[0]
    twice = first[:-1] + b',"shop":"b"}\n'
    with pytest.raises(DataError, match="rejected"):
        parsers.land(".jsonl", twice)
    with pytest.raises(ValueError, match="found a key twice"):
        digest.strict_json(b'{"a":1,"a":2}')

    monkeypatch.setattr(intake, "_JSON", json.JSONDecoder(parse_int=str, parse_float=str))
    monkeypatch.setattr(digest, "_unique", dict)

    assert parsers.land(".jsonl", twice)
    assert digest.strict_json(b'{"a":1,"a":2}') == {"a": 2}


def test_without_the_canonical_form_the_suite_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = quick("record, ", "generation, ", "verdict, ")
    assert refused(cases) == []

    for module in ("pipeline.store.record", "pipeline.release.aliases"):
        monkeypatch.setattr(f"{module}.parse_json", json.loads)

    assert {"record, a key twice", "generation, with a space", "verdict, in other layout"} & set(
        refused(cases)
    )


def test_without_the_bound_on_what_unpacks_the_suite_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = quick("model, a bomb", "model, a schema beyond")
    assert refused(cases) == []

    monkeypatch.setattr(unpacking, "require_archive_fits", lambda data: None)
    monkeypatch.setattr("pipeline.values.model.require_archive_fits", lambda data: None)

    said = [case for case in cases if _says(case) is None]
    assert said


def _says(case: Case) -> object:
    try:
        case.attack()
    except case.error as error:
        return re.search(case.says, str(error))
    return None


def test_without_the_footer_s_check_a_bomb_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquets.file(parsers.table())
    monkeypatch.setattr(parquet, "allowance", lambda size_bytes: 10)
    with pytest.raises(unpacking.TooLarge):
        parquet.read(data)

    monkeypatch.setattr(parquet, "_require_fits", lambda *told: None)
    monkeypatch.setattr(parquet, "_require_texts_fit", lambda *told: None)

    assert parquet.read(data).num_rows == 4


def test_a_signature_is_asked_for_before_a_manifest_is_followed(tmp_path: Path) -> None:
    registry = released.registry(tmp_path)
    digest_ = registry.publish(released.small())
    registry.storage.delete(list(registry.storage.list(glance.signatures(digest_))))

    with pytest.raises(Untrusted, match="nobody has signed the bundle"):
        signed.read(registry.storage, digest_, registry.trust)
