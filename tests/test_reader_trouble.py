"""What goes wrong where a reader looks: the old model serves, the reader says so, and moves on again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pytest

from pipeline.errors import BundleDamaged
from pipeline.release import glance, served
from pipeline.release.aliases import place_of
from pipeline.release.reader import Reader
from pipeline.release.registry import Registry
from pipeline.release.signing import Trust
from pipeline.store.repository import blob_name
from pipeline.store.storage import MemoryStorage
from pipeline.values.bundle import Bundle
from pipeline.values.digest import digest_bytes
from tests import released
from tests.released import ALIAS, Service, promoted

ROWS = released.rows(days=1)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A store in which generation 1 serves."""
    registry = released.registry(tmp_path)
    promoted(registry, released.small())
    return registry


@pytest.fixture
def reader(registry: Registry, tmp_path: Path) -> Reader:
    return Reader(registry.storage, ALIAS, registry.trust, tmp_path / "home", poll_s=None)


def second() -> Bundle:
    return released.small(0.001)


Break = Callable[[Registry], Callable[[], Any]]
"""Makes a bad generation 2; what it returns mends it."""


def a_file_damaged(registry: Registry) -> Callable[[], Any]:
    promoted(registry, second())
    registry.storage.replace(blob_name(digest_bytes(second().files["model.skops"])), b"PK")
    return lambda: registry.publish(second())


def a_file_lost(registry: Registry) -> Callable[[], Any]:
    promoted(registry, second())
    registry.storage.delete([blob_name(second().digest)])
    return lambda: registry.publish(second())


def unsigned(registry: Registry) -> Callable[[], Any]:
    promoted(registry, second())
    registry.storage.delete(list(registry.storage.list(glance.signatures(second().digest))))
    return lambda: registry.publish(second())


def a_generation_forged(registry: Registry) -> Callable[[], Any]:
    place = place_of(ALIAS, promoted(registry, second()).number)
    right = registry.storage.read(place)
    registry.storage.replace(place, right.replace(b'"who":"', b'"who":"not '))
    return lambda: registry.storage.replace(place, right)


def a_generation_cut_off(registry: Registry) -> Callable[[], Any]:
    place = place_of(ALIAS, promoted(registry, second()).number)
    right = registry.storage.read(place)
    registry.storage.replace(place, right[:-9])
    return lambda: registry.storage.replace(place, right)


def not_replaying(registry: Registry) -> Callable[[], Any]:
    golden = second().json("golden.json")
    golden["predictions"][0] += 1e-6
    promoted(registry, released.with_json(second(), "golden.json", golden))
    return lambda: promoted(registry, second())


def of_another_version(registry: Registry) -> Callable[[], Any]:
    promoted(registry, released.with_json(second(), "contract.json", {"version": 2}))
    return lambda: promoted(registry, second())


BREAKS = [
    a_file_damaged, a_file_lost, unsigned, a_generation_forged, a_generation_cut_off, not_replaying,
    of_another_version,
]  # fmt: skip


@pytest.mark.parametrize("spoil", BREAKS, ids=lambda spoil: spoil.__name__)
def test_a_bad_generation_leaves_the_old_one_serving_until_it_is_mended(
    reader: Reader, registry: Registry, spoil: Break, caplog: pytest.LogCaptureFixture
) -> None:
    mend = spoil(registry)

    for _ in range(2):
        assert not reader.refresh()
        assert reader.predict(ROWS).generation == 1
        assert reader.trouble
        assert f"small stays at generation 1, it can't move forward: {reader.trouble}" in caplog.text

    mend()
    assert reader.refresh()
    assert reader.trouble is None
    assert np.array_equal(reader.predict(ROWS).values, served.load(second()).predict(ROWS))


class Failing(MemoryStorage):
    """A store whose medium fails in a way that nobody foresaw."""

    is_well = True

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        if not self.is_well:
            raise RuntimeError("the driver is confused")
        return super().read(name, start, size)


def test_an_error_that_nobody_foresaw_stops_nothing(tmp_path: Path) -> None:
    storage = Failing()
    registry = released.registry(tmp_path, storage)
    promoted(registry, released.small())
    reader = Reader(storage, ALIAS, registry.trust, tmp_path / "home", poll_s=None)

    storage.is_well = False
    assert not reader.refresh()
    assert reader.trouble == "RuntimeError: the driver is confused"
    assert reader.predict(ROWS).generation == 1
    assert Reader(storage, ALIAS, registry.trust, tmp_path / "home", poll_s=None).serving.number == 1

    storage.is_well = True
    assert not reader.refresh()
    assert reader.trouble is None


def test_what_a_stranger_promotes_is_not_followed(reader: Reader, registry: Registry, tmp_path: Path) -> None:
    plant_a_stranger(registry, tmp_path)

    assert not reader.refresh()
    assert reader.trouble
    assert reader.trouble.startswith("Untrusted: the generation is signed by the key ")


def plant_a_stranger(registry: Registry, tmp_path: Path) -> None:
    """Generation 2, whole and rightly signed, by somebody with write access and a key of their own."""
    theirs = released.registry(tmp_path / "stranger")
    promoted(theirs, released.small())
    promoted(theirs, second())
    registry.storage.put({name: theirs.storage.read(name) for name in theirs.storage.list("")})


def test_without_the_signatures_a_strangers_model_would_serve(
    reader: Reader, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_a_stranger(registry, tmp_path)
    monkeypatch.setattr(Trust, "verify", lambda *_: None)

    assert reader.refresh()
    assert reader.predict(ROWS).bundle == second().digest


def test_without_the_golden_rows_a_model_that_does_not_replay_would_serve(
    reader: Reader, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_replaying(registry)
    monkeypatch.setattr(served, "prove", lambda *_: None)

    assert reader.refresh()


# An older copy of the store.


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


@pytest.fixture
def older(service: Service) -> Path:
    """A copy of the store from before generation 2."""
    copy = service.folder / "older"
    shutil.copytree(service.online, copy)
    promoted(service.registry, second())
    return copy


def restore(service: Service, older: Path) -> None:
    service.take_away()
    shutil.copytree(older, service.online)


def test_an_older_copy_of_the_store_is_refused(service: Service, older: Path) -> None:
    reader = service.start()
    restore(service, older)

    for each in (reader, service.start()):
        assert not each.refresh()
        assert each.predict(ROWS).generation == 2
        assert each.trouble
        assert "an older copy of the store; bring the right one back" in each.trouble
        assert f"If this is the right one, empty {service.home / ALIAS} and start again" in each.trouble

    service.bring_back()
    assert not reader.refresh()
    assert reader.trouble is None


def test_a_generation_that_was_seen_but_was_bad_counts_as_seen(service: Service, older: Path) -> None:
    service.registry.storage.delete([blob_name(second().digest)])
    with pytest.raises(BundleDamaged):
        service.start()
    restore(service, older)

    with pytest.raises(BundleDamaged, match="does not have generation 2"):
        service.start()


def test_an_emptied_home_starts_anew(service: Service, older: Path) -> None:
    service.start()
    restore(service, older)
    shutil.rmtree(service.home / ALIAS)

    assert service.start().predict(ROWS).generation == 1


def test_without_that_rule_an_older_copy_would_serve(
    service: Service, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "_remember", lambda *_: None)
    reader = service.start()
    restore(service, older)

    assert reader.refresh()
    assert reader.predict(ROWS).generation == 1


def test_a_store_that_was_put_back_and_went_on_otherwise_is_not_followed_in_silence(
    registry: Registry, tmp_path: Path
) -> None:
    promoted(registry, second())
    reader = Reader(registry.storage, ALIAS, registry.trust, tmp_path / "home", poll_s=None)
    registry.storage.delete([place_of(ALIAS, 2)])
    promoted(registry, released.small(0.01))

    assert not reader.refresh()
    assert reader.serving.bundle == second().digest
    assert "generation 2" in (reader.trouble or "")
    assert "went on otherwise" in (reader.trouble or "")
