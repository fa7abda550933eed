"""Generations as they lie in a store: numbered without a gap, signed, and each in its own place."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import AliasMoved, BundleDamaged, ConfigurationError, Untrusted
from pipeline.release.aliases import place_of
from pipeline.release.registry import Registry
from pipeline.values.digest import Digest, canonical_json, parse_json
from tests import released
from tests.released import ALIAS, judged, promoted

PROCESSES, ROUNDS = 4, 8


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Three generations: one model, another, and back."""
    registry = released.registry(tmp_path)
    promoted(registry, released.small())
    promoted(registry, released.small(0.001))
    registry.rollback(ALIAS, "too many alarms")
    return registry


def forge(registry: Registry, number: int, changes: dict[str, Any]) -> None:
    """Change what a generation says, and leave its signature."""
    name = place_of(ALIAS, number)
    body = parse_json(registry.storage.read(name))
    body["generation"].update(changes)
    registry.storage.replace(name, canonical_json(body))


@pytest.mark.parametrize(
    "changes",
    [
        {"bundle": "sha256:" + "0" * 64}, {"who": "somebody"}, {"why": ""}, {"at": "2013-01-01"},
        {"is_automatic": True}, {"step": "promote"}, {"number": 4}, {"alias": "other"},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_no_word_of_a_generation_can_be_changed(registry: Registry, changes: dict[str, Any]) -> None:
    forge(registry, 3, changes)

    with pytest.raises(Untrusted, match="the generation's signature is not one of its bytes"):
        registry.current(ALIAS)


def test_a_generation_that_a_stranger_signed_is_refused(registry: Registry, tmp_path: Path) -> None:
    stranger = released.registry(tmp_path / "stranger")
    promoted(stranger, released.small())
    registry.storage.put({place_of(ALIAS, 4): stranger.storage.read(place_of(ALIAS, 1))})

    with pytest.raises(Untrusted, match="which is not trusted here"):
        registry.history(ALIAS)


@pytest.mark.parametrize("place", [place_of(ALIAS, 4), place_of("other", 1)])
def test_a_generation_in_another_place_is_refused(registry: Registry, place: str) -> None:
    registry.storage.put({place: registry.storage.read(place_of(ALIAS, 1))})

    with pytest.raises(BundleDamaged, match=rf"{place} in .* is the generation of another place"):
        registry.history(place.split("/")[1])


@pytest.mark.parametrize(
    "data", [b"", b"[]\n", b"{}\n", b'{"generation":[]}\n', b'{"generation":{}}\n', b"\xff"], ids=ascii
)
def test_a_generation_that_does_not_read_is_named(registry: Registry, data: bytes) -> None:
    registry.storage.replace(place_of(ALIAS, 2), data)

    with pytest.raises(BundleDamaged, match=rf"{place_of(ALIAS, 2)} in .* does not read as a generation"):
        registry.current(ALIAS)


def test_a_generation_of_a_later_version_is_not_taken_for_less(registry: Registry) -> None:
    forge(registry, 3, {"expires": "2013-07-01"})

    with pytest.raises(BundleDamaged, match="does not read as a generation"):
        registry.current(ALIAS)


@pytest.mark.parametrize("number", [1, 2])
def test_a_lost_generation_is_named_and_its_number_not_given_again(registry: Registry, number: int) -> None:
    """Were it, what was promoted would not serve: the generations after it come back into sight."""
    digest = judged(registry, released.small(0.01))
    registry.storage.delete([place_of(ALIAS, number)])

    for ask in (
        lambda: registry.current(ALIAS),
        lambda: registry.history(ALIAS),
        lambda: registry.promote(ALIAS, digest, "why", number - 1),
        lambda: registry.rollback(ALIAS, "why"),
    ):
        with pytest.raises(BundleDamaged, match=f"has lost generation {number}; restore the file refs/small"):
            ask()


def test_what_is_no_generation_is_passed_over(registry: Registry) -> None:
    registry.storage.put({f"refs/{ALIAS}/note": b"", "refs/UP/000001": b""})

    assert registry.aliases() == [ALIAS]
    assert [each.number for each in registry.history(ALIAS)] == [1, 2, 3]


def test_a_bundle_is_found_by_its_first_digits(registry: Registry) -> None:
    digest = released.small().digest

    assert registry.find(digest.hex[:6]) == registry.find(digest) == digest
    for number in ("", "sha256:", "2", digest.hex[:5]):
        with pytest.raises(ConfigurationError, match="is not a bundle: name it by 6 or more"):
            registry.find(number)
    for wrong in ("nothing", digest.hex[1:]):
        with pytest.raises(ConfigurationError, match="names 0 of the 2 bundles in "):
            registry.find(wrong)


# Compare and swap.


def test_a_lost_race_names_the_winner(registry: Registry) -> None:
    newest = registry.history(ALIAS)[-1]

    for expected in (0, 2, 4):
        with pytest.raises(AliasMoved) as lost:
            registry.promote(ALIAS, released.small().digest, "why", expected)
        assert f"'{ALIAS}' has generation 3, rollback by {newest.who}" in str(lost.value)
        assert f"expected generation {expected} to be the newest" in str(lost.value)
    assert registry.history(ALIAS)[-1] == newest


def contend(folder: Path, name: str, start: Any, results: Any) -> None:
    """In round N, promote where N - 1 is the newest generation: one of two bundles, and then the other."""
    registry = released.registry(folder)
    digests = [Digest(f"sha256:{name.split('/')[1]}") for name in registry.storage.list("bundles")]
    for expected in range(ROUNDS):
        start.wait()
        try:
            registry.promote(ALIAS, digests[expected % 2], name, expected)
            results.put((expected + 1, name))
        except AliasMoved as error:
            results.put((expected + 1, str(error)))


def test_of_processes_that_race_exactly_one_makes_each_generation(tmp_path: Path) -> None:
    registry = released.registry(tmp_path)
    judged(registry, released.small())
    judged(registry, released.small(0.001))
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(PROCESSES), context.Queue()
    names = [f"process {number}" for number in range(PROCESSES)]
    workers = [
        context.Process(target=contend, args=(tmp_path, name, start, results), daemon=True) for name in names
    ]
    for worker in workers:
        worker.start()
    said = [results.get(timeout=120) for _ in range(PROCESSES * ROUNDS)]

    history = registry.history(ALIAS)
    assert [each.number for each in history] == list(range(1, ROUNDS + 1))
    for generation in history:
        told = [text for number, text in said if number == generation.number]
        assert [text for text in told if text in names] == [generation.why]
        assert sum(f"expected generation {generation.number - 1}" in text for text in told) == PROCESSES - 1
