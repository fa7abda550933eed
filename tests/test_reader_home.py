"""What a reader keeps at home: a start without the store, and no way back to what is older."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pytest

from pipeline.errors import BundleDamaged, ConfigurationError, MissingData, Untrusted
from pipeline.release import served
from pipeline.release.aliases import place_of
from pipeline.release.reader import Reader
from pipeline.store.repository import blob_name
from pipeline.values.bundle import Bundle
from pipeline.values.digest import digest_bytes
from tests import released
from tests.released import ALIAS, Service, promoted, wrapped

ROWS = released.rows(days=1)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def second() -> Bundle:
    return released.small(0.001)


# The store is away.


def test_without_the_store_the_last_good_model_serves(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    promoted(service.registry, second())
    before = service.start().predict(ROWS)
    service.take_away()

    reader = service.start()

    assert reader.predict(ROWS).generation == 2
    assert np.array_equal(reader.predict(ROWS).values, before.values)
    assert reader.trouble
    assert "does not have generation 2 of 'small', which was seen before: it is away" in reader.trouble
    assert "small starts from the copy at home, generation 2" in caplog.text

    service.bring_back()
    assert not reader.refresh()
    assert reader.trouble is None
    promoted(service.registry, released.small())
    assert reader.refresh()


def test_a_store_that_goes_away_later_stops_nothing(service: Service) -> None:
    reader = service.start()
    service.take_away()

    assert not reader.refresh()
    assert reader.predict(ROWS).generation == 1
    assert reader.trouble

    service.bring_back()
    assert not reader.refresh()
    assert reader.trouble is None


def test_without_the_store_and_with_nothing_at_home_there_is_nothing_to_serve(service: Service) -> None:
    service.take_away()

    with pytest.raises(MissingData, match="or this is another store"):
        service.start()


def test_a_bad_newest_generation_at_the_start_leaves_the_last_good_one(service: Service) -> None:
    service.start()
    promoted(service.registry, second())
    service.registry.storage.delete([blob_name(second().digest)])

    reader = service.start()

    assert reader.predict(ROWS).generation == 1
    assert reader.trouble
    assert reader.trouble.startswith("BundleDamaged: ")
    service.registry.publish(second())
    assert reader.refresh()
    assert reader.predict(ROWS).generation == 2


def test_a_bad_newest_generation_and_nothing_at_home_is_an_error(service: Service) -> None:
    service.registry.storage.delete([blob_name(released.small().digest)])

    with pytest.raises(BundleDamaged, match="publish the bundle again"):
        service.start()


# What lies at home.


def test_home_keeps_one_bundle(service: Service) -> None:
    reader = service.start()
    for bundle in (second(), wrapped(second(), "again")):
        promoted(service.registry, bundle)
        assert reader.refresh()

    kept = service.kept()
    assert [*kept.list("refs")] == [place_of(ALIAS, 3)]
    assert {name.split("/")[1] for name in kept.list("bundles")} == {reader.serving.bundle.hex}
    assert len([*kept.list("blobs")]) == 11


def test_a_second_start_writes_nothing(service: Service) -> None:
    service.start()
    before = {path: path.stat() for path in service.home.rglob("*")}

    service.start()

    assert {path: path.stat() for path in service.home.rglob("*")} == before


@pytest.mark.parametrize("what", ["refs", "bundles", "blobs", "cache"])
@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1]], ids=["emptied", "cut off"])
def test_damage_at_home_is_healed_by_the_store(
    service: Service, what: str, damage: Callable[[bytes], bytes]
) -> None:
    service.start()
    for name in list(service.kept().list(what)):
        service.kept().replace(name, damage(service.kept().read(name)))

    assert service.start().trouble is None

    service.take_away()
    assert service.start().predict(ROWS).generation == 1


@pytest.mark.parametrize("what", ["refs", "bundles", "blobs"])
def test_damage_at_home_is_not_served(service: Service, what: str, caplog: pytest.LogCaptureFixture) -> None:
    service.start()
    service.take_away()
    for name in list(service.kept().list(what)):
        service.kept().replace(name, service.kept().read(name)[:-1])

    with pytest.raises(BundleDamaged, match="it is away"):
        service.start()
    assert "nor can the copy at home be served: " in caplog.text


def test_a_model_that_was_swapped_at_home_is_not_served(service: Service) -> None:
    service.start()
    service.take_away()
    place = blob_name(digest_bytes(released.small().files["model.skops"]))
    service.kept().replace(place, second().files["model.skops"])

    with pytest.raises(BundleDamaged):
        service.start()


def test_the_copy_at_home_must_be_trusted_too(service: Service, tmp_path: Path) -> None:
    service.start()
    stranger = released.registry(tmp_path / "stranger")

    with pytest.raises(Untrusted):
        Reader(service.online, ALIAS, stranger.trust, service.home, poll_s=None)


def test_the_copy_at_home_must_replay(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.start()
    service.take_away()
    monkeypatch.setattr(served.Served, "predict", lambda self, rows: np.zeros(len(rows)))

    with pytest.raises(BundleDamaged, match="it is away"):
        service.start()


def test_a_home_that_can_not_be_written_stops_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    (service.folder / "file").touch()

    reader = service.start(home=service.folder / "file" / "home")

    assert reader.predict(ROWS).generation == 1
    assert "small can't be kept at home, a start without the store will fail: " in caplog.text
    promoted(service.registry, second())
    assert reader.refresh()
    assert reader.trouble is None


def test_readers_may_share_a_home(service: Service) -> None:
    service.registry.promote("other", released.small().digest, f"{ALIAS}, tried", 0)
    slow, quick, other = service.start(), service.start(), service.start(alias="other")
    for bundle in (second(), wrapped(second(), "again")):
        promoted(service.registry, bundle)
        quick.refresh()
    lag(slow, behind=1)

    assert slow.refresh()
    assert other.predict(ROWS).generation == 1
    service.take_away()
    assert service.start().predict(ROWS).generation == 3
    assert service.start(alias="other").predict(ROWS).generation == 1


def lag(reader: Reader, behind: int) -> None:
    """Let a reader find the store as it was some generations ago."""
    following = reader._online.following

    def earlier(alias: str, number: int) -> Any:
        return iter([*following(alias, number)][:-behind])

    reader._online.following = earlier  # type: ignore[method-assign]


def test_home_is_below_the_users_caches_by_default(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    Reader(service.online, ALIAS, service.registry.trust, poll_s=None)
    assert [path.parent.name for path in (tmp_path / "caches").iterdir()] == ["caches"]
    service.take_away()

    assert Reader(service.online, ALIAS, service.registry.trust, poll_s=None).serving.number == 1


def test_a_user_without_a_home_is_told_to_name_a_folder(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)

    with pytest.raises(ConfigurationError, match="give a folder as `home`"):
        Reader(service.online, ALIAS, service.registry.trust)
