"""A bundle: one manifest that names every byte, and what becomes of a byte that is not as it says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import BundleDamaged, HeadraceError, Untrusted
from pipeline.release import glance, signed
from pipeline.release.registry import Registry
from pipeline.store.repository import blob_name
from pipeline.store.storage import MemoryStorage, Storage
from pipeline.values.bundle import FILES, FORMAT, Bundle
from pipeline.values.codec import decode, encode
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json
from tests import released
from tests.mill import ROOT


@pytest.fixture
def small() -> Bundle:
    return released.small()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return released.registry(tmp_path)


def place_of(bundle: Bundle, file: str) -> str:
    """Where a file of a bundle, or its manifest, lies in a store."""
    return blob_name(bundle.digest if file == "manifest" else digest_bytes(bundle.files[file]))


# What a bundle is.


def test_a_bundle_holds_what_a_service_needs_and_a_reviewer_asks(small: Bundle) -> None:
    assert set(small.files) == set(FILES)
    for name in FILES:
        if name.endswith(".json"):
            assert small.files[name] == canonical_json(small.json(name))


def test_the_manifest_is_canonical_and_its_digest_is_the_name(small: Bundle) -> None:
    manifest = parse_json(small.manifest())

    assert small.digest == digest_bytes(small.manifest())
    assert manifest["format"] == FORMAT
    assert manifest["files"] == {
        name: {"digest": digest_bytes(data), "size_bytes": len(data)} for name, data in small.files.items()
    }
    shuffled = Bundle(small.model, {name: small.files[name] for name in sorted(small.files, reverse=True)})
    assert shuffled.digest == small.digest


@pytest.mark.parametrize("file", FILES)
def test_another_byte_in_any_file_is_another_bundle(small: Bundle, file: str) -> None:
    changed = replace(small, files={**small.files, file: small.files[file] + b" "})

    assert changed.digest != small.digest
    assert replace(small, model="another").digest != small.digest


def test_equal_evidence_makes_an_equal_bundle_in_another_process(small: Bundle) -> None:
    program = "from tests import released; print(released.small().digest)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == small.digest


def test_a_bundle_is_kept_in_one_piece(small: Bundle) -> None:
    encoded = encode(small)

    assert (encoded.codec, encoded.digest) == ("bundle/1", small.digest)
    assert decode(encoded.codec, encoded.data) == small
    assert Bundle.unpack(small.pack()) == small


def without(bundle: Bundle, file: str) -> Bundle:
    return replace(bundle, files={name: data for name, data in bundle.files.items() if name != file})


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b"",
        lambda b: b"[]\n",
        lambda b: b.pack()[:-2],
        lambda b: b.pack().replace(FORMAT.encode(), b"headrace bundle 2"),
        lambda b: b.pack().replace(b'"card.html":"', b'"card.html":"*'),
        lambda b: without(b, "golden.json").pack(),
        lambda b: replace(b, files={**b.files, "run.sh": b""}).pack(),
        lambda b: canonical_json({"format": FORMAT, "model": "m", "files": [1]}),
    ],
    ids=["empty", "list", "cut off", "version", "no base64", "file absent", "file too many", "no files"],
)
def test_bytes_that_are_no_bundle_are_refused(small: Bundle, damage: Callable[[Bundle], bytes]) -> None:
    with pytest.raises(BundleDamaged, match="found bytes that are no bundle"):
        Bundle.unpack(damage(small))


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": 1}', b"\xff"], ids=ascii)
def test_a_file_that_is_no_canonical_json_is_named(small: Bundle, data: bytes) -> None:
    with pytest.raises(BundleDamaged, match=r"the bundle's budget\.json does not read"):
        replace(small, files={**small.files, "budget.json": data}).json("budget.json")


# In a store.


def test_what_is_published_is_what_is_read(registry: Registry, small: Bundle) -> None:
    assert registry.publish(small) == small.digest
    assert signed.read(registry.storage, small.digest, registry.trust) == small


def test_publishing_again_changes_nothing(registry: Registry, small: Bundle) -> None:
    registry.publish(small)
    before = contents(registry.storage)

    registry.publish(small)

    assert contents(registry.storage) == before


def contents(storage: Storage) -> Mapping[str, bytes]:
    return {name: storage.read(name) for name in storage.list("")}


def a_bit_flipped(storage: Storage, place: str) -> None:
    data = bytearray(storage.read(place))
    data[len(data) // 2] ^= 1
    storage.replace(place, bytes(data))


def cut_off(storage: Storage, place: str) -> None:
    storage.replace(place, storage.read(place)[:-1])


def emptied(storage: Storage, place: str) -> None:
    storage.replace(place, b"")


def swapped(storage: Storage, place: str) -> None:
    other = next(name for name in storage.list("blobs") if name != place)
    storage.replace(place, storage.read(other))


def lost(storage: Storage, place: str) -> None:
    storage.delete([place])


@pytest.mark.parametrize(
    "damage", [a_bit_flipped, cut_off, emptied, swapped, lost], ids=lambda damage: damage.__name__
)
@pytest.mark.parametrize("file", [*FILES, "manifest"])
def test_damage_to_any_file_is_named_and_publishing_again_heals_it(
    registry: Registry, small: Bundle, file: str, damage: Callable[[Storage, str], None]
) -> None:
    registry.publish(small)
    place = place_of(small, file)
    whole = registry.storage.read(place)
    damage(registry.storage, place)

    with pytest.raises(BundleDamaged, match=rf"{file} .*publish the bundle again"):
        signed.read(registry.storage, small.digest, registry.trust)

    registry.publish(small)
    assert signed.read(registry.storage, small.digest, registry.trust) == small
    assert registry.storage.read(place) == whole


def test_no_more_is_read_than_the_manifest_promises(registry: Registry, small: Bundle) -> None:
    registry.publish(small)
    place = place_of(small, "model.skops")
    registry.storage.replace(place, registry.storage.read(place) + b"\0" * 1000)

    assert signed.read(registry.storage, small.digest, registry.trust) == small


@pytest.mark.parametrize("damage", [a_bit_flipped, cut_off, emptied, lost], ids=lambda each: each.__name__)
def test_a_damaged_signature_is_noticed_and_publishing_again_heals_it(
    registry: Registry, small: Bundle, damage: Callable[[Storage, str], None]
) -> None:
    registry.publish(small)
    [place] = registry.storage.list(glance.signatures(small.digest))
    damage(registry.storage, place)

    with pytest.raises(
        HeadraceError, match=r"publish it|publish the bundle again|it was changed|not trusted"
    ):
        signed.read(registry.storage, small.digest, registry.trust)

    registry.publish(small)
    assert signed.read(registry.storage, small.digest, registry.trust) == small


def test_the_signature_of_another_bundle_does_not_count(registry: Registry, small: Bundle) -> None:
    other = released.with_json(small, "card.json", {})
    for bundle in (small, other):
        registry.publish(bundle)
    [place], [from_] = (list(registry.storage.list(glance.signatures(b.digest))) for b in (small, other))
    registry.storage.replace(place, registry.storage.read(from_))

    with pytest.raises(Untrusted, match="it was changed"):
        signed.read(registry.storage, small.digest, registry.trust)


def test_one_signature_that_counts_is_enough(registry: Registry, small: Bundle, tmp_path: Path) -> None:
    stranger = released.registry(tmp_path / "stranger", registry.storage)
    registry.publish(small)
    stranger.publish(small)
    registry.storage.put({f"{glance.signatures(small.digest)}/0": b"nonsense"})

    for trust in (registry.trust, stranger.trust):
        assert signed.read(registry.storage, small.digest, trust) == small


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "headrace bundle 2"}, "expected the format"),
        ({"files": {}}, "lacks \\['budget.json'"),
        ({"files": []}, "it.files is \\[\\] .list., expected dict"),
        ({"files": {name: {"digest": "sha256:" + "0" * 64, "size_bytes": -1} for name in FILES}}, "found -1"),
        ({"files": {name: {"digest": "x", "size_bytes": 1} for name in FILES}}, "found 'x'"),
        ({"files": dict.fromkeys(FILES, 1)}, "can't be used"),
        (
            {"files": {name: {"digest": "sha256:" + "0" * 64, "size_bytes": 1 << 32} for name in FILES}},
            "names more than",
        ),
    ],
    ids=["version", "no files", "list", "size", "digest", "entry", "too large"],
)
def test_a_signed_manifest_that_can_not_be_used_is_refused(
    registry: Registry, small: Bundle, change: Mapping[str, Any], says: str
) -> None:
    manifest = canonical_json({**parse_json(small.manifest()), **change})
    digest = planted(registry, manifest)

    with pytest.raises(BundleDamaged, match=says):
        signed.read(registry.storage, digest, registry.trust)


def planted(registry: Registry, manifest: bytes) -> Digest:
    """A manifest of our own making in a store, rightly signed."""
    digest, signature = digest_bytes(manifest), registry._signer.sign("bundle", manifest)
    registry.storage.put({blob_name(digest): manifest})
    registry.storage.put(
        {f"{glance.signatures(digest)}/{signature.key.hex}": canonical_json(signature.fields())}
    )
    return digest


def test_a_bundle_goes_from_store_to_store_with_its_signature(registry: Registry, small: Bundle) -> None:
    registry.publish(small)
    home = MemoryStorage()

    signed.put(home, *signed.take(registry.storage, small.digest, registry.trust))

    assert signed.read(home, small.digest, registry.trust) == small
