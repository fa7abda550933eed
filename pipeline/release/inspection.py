"""Whether an online store holds what its aliases promise: bundles, verdicts and generations, each verified.

Nothing is changed. What a trusted key signed is whole, to the last letter, or it is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.errors import BundleDamaged, HeadraceError
from pipeline.release import glance, signed
from pipeline.release.aliases import Aliases, place_of
from pipeline.release.signing import Signature, Trust
from pipeline.store.inspection import ABSENT_BUNDLE, Finding, Survey, wrong
from pipeline.store.repository import blob_name
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, parse_json

DAMAGED_SIGNATURE, LOST_BUNDLE = "damaged signature", "lost bundle"
DAMAGED_VERDICT, LOST_VERDICT = "damaged verdict", "lost verdict"
DAMAGED_GENERATION, LOST_GENERATION = "damaged generation", "lost generation"

_SIGNATURE = re.compile(r"bundles/([0-9a-f]{64})/([0-9a-f]{64})")
_VERDICT = re.compile(r"verdicts/([0-9a-f]{64})/([1-9][0-9]*)")
_KEPT = 2
"""So many of the last bundles of each alias no collection takes: what serves, and what to roll back to."""
_GENERATION = re.compile(r"refs/([a-z0-9][a-z0-9._-]{0,63})/([0-9]{6,})")


def is_online(storage: Storage) -> bool:
    """Whether a store holds anything that was handed over."""
    return any(next(iter(storage.list(folder)), None) for folder in ("bundles", "verdicts", "refs"))


def walk(survey: Survey, trust: Trust) -> Iterator[Finding]:
    """What is wrong with all that was handed over; its blobs are needed from now on."""
    aliases = Aliases(survey.storage, trust)
    bundles: dict[Digest, list[str]] = {}
    verdicts: dict[Digest, set[int]] = {}
    yield from _walk_signatures(survey, trust, bundles)
    yield from _walk_verdicts(aliases, verdicts)
    served: dict[str, dict[int, Digest]] = {}
    yield from _walk_generations(aliases, verdicts, served)
    for bundle, why in _unsigned(bundles, verdicts, served).items():
        name = glance.signatures(bundle)
        if bundle in _kept(served) or survey.storage.stat(blob_name(bundle)) is not None:
            bundles[bundle] = []
            yield Finding(LOST_BUNDLE, name, f"{why}, and nobody signs it", bundles=(bundle,))
        else:
            yield Finding(
                ABSENT_BUNDLE, name, f"{why}, and it is gone: lost, or collected", bundles=(bundle,)
            )
    for bundle in bundles:
        _need_files(survey, bundle)


def _unsigned(
    bundles: Mapping[Digest, list[str]],
    verdicts: Mapping[Digest, set[int]],
    served: Mapping[str, Mapping[int, Digest]],
) -> dict[Digest, str]:
    """The bundles that nobody signs, and how they are known."""
    found = dict.fromkeys(verdicts, "it was at the gate")
    for alias, generations in served.items():
        for number, bundle in generations.items():
            found[bundle] = f"generation {number} of {alias!r} serves it"
    return {bundle: why for bundle, why in found.items() if bundle not in bundles}


def _kept(served: Mapping[str, Mapping[int, Digest]]) -> set[Digest]:
    """The last bundles of each alias. Of others none can say whether they were lost, or collected."""
    kept: set[Digest] = set()
    for generations in served.values():
        newest_first = dict.fromkeys(generations[number] for number in sorted(generations, reverse=True))
        kept.update([*newest_first][:_KEPT])
    return kept


def _walk_signatures(survey: Survey, trust: Trust, bundles: dict[Digest, list[str]]) -> Iterator[Finding]:
    for name in survey.storage.list("bundles"):
        place = _SIGNATURE.fullmatch(name)
        if place is None:  # a stray
            continue
        bundle = Digest(f"sha256:{place[1]}")
        bundles.setdefault(bundle, []).append(name)
        why = _wrong_signature(survey.storage, trust, bundle, name)
        if why:
            yield Finding(DAMAGED_SIGNATURE, name, why, "move", (), (bundle,))


def _wrong_signature(storage: Storage, trust: Trust, bundle: Digest, name: str) -> str:
    """What is wrong with a signature; of a manifest that is damaged itself, it can't be told."""
    try:
        data = storage.read(name, 0, signed.MAX_MANIFEST_BYTES)
        signature = Signature.of(parse_json(data))
        if data != canonical_json(signature.fields()) or signature.key.hex != name.rpartition("/")[2]:
            raise ValueError("it says more than a signature, or is that of another place")
        if not _wrong_manifest(storage, bundle):
            trust.verify("bundle", storage.read(blob_name(bundle)), signature)
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        return f"it does not read as a signature: {error}"
    except HeadraceError as error:
        return str(error)
    return ""


def _wrong_manifest(storage: Storage, bundle: Digest) -> str:
    name = blob_name(bundle)
    size = storage.stat(name)
    return "it is not there" if size is None else wrong(storage, name, None, size, is_read=True)


def _need_files(survey: Survey, bundle: Digest) -> None:
    """Note what a bundle needs: its manifest, and what a manifest that is whole names."""
    need = survey.need(bundle)
    need.is_structure = True
    need.bundles.append(bundle)
    if _wrong_manifest(survey.storage, bundle):
        return
    manifest = parse_json(survey.storage.read(blob_name(bundle)))
    for entry in manifest["files"].values():
        need = survey.need(Digest(entry["digest"]))
        need.size_bytes = entry["size_bytes"]
        need.bundles.append(bundle)


def _walk_verdicts(aliases: Aliases, verdicts: dict[Digest, set[int]]) -> Iterator[Finding]:
    for name in aliases.storage.list("verdicts"):
        place = _VERDICT.fullmatch(name)
        if place is None:  # a stray
            continue
        bundle = Digest(f"sha256:{place[1]}")
        verdicts.setdefault(bundle, set()).add(int(place[2]))
        try:
            found = aliases.verdict_at(name)
            _require_exact(aliases.storage, name, "verdict", found)
            if found["bundle"] != bundle:
                raise BundleDamaged(f"{name} is a verdict on another bundle")
        except (HeadraceError, KeyError) as error:
            yield Finding(DAMAGED_VERDICT, name, str(error), "move", (), (bundle,))
    for bundle, numbers in verdicts.items():
        for number in sorted(set(range(1, max(numbers))) - numbers):
            why = f"verdict {max(numbers)} on it is there, and {number} is not"
            yield Finding(LOST_VERDICT, f"verdicts/{bundle.hex}/{number}", why, bundles=(bundle,))


def _require_exact(storage: Storage, name: str, what: str, found: Any) -> None:
    """A signature is of one field: no other may stand beside it and its own."""
    body = parse_json(storage.read(name))
    if set(body) != {what, "key", "signature"}:
        raise BundleDamaged(f"{name} holds other fields than a {what}: {', '.join(sorted(body))}")


def _walk_generations(
    aliases: Aliases, verdicts: dict[Digest, set[int]], served: dict[str, dict[int, Digest]]
) -> Iterator[Finding]:
    numbers: dict[str, set[int]] = {}
    for name in aliases.storage.list("refs"):
        place = _GENERATION.fullmatch(name)
        if place is None or place_of(place[1], int(place[2])) != name:  # a stray
            continue
        numbers.setdefault(place[1], set()).add(int(place[2]))
        yield from _generation(aliases, name, place[1], int(place[2]), verdicts, served)
    for alias, found in numbers.items():
        for number in sorted(set(range(1, max(found))) - found):
            why = f"generation {max(found)} of {alias!r} is there, and {number} is not"
            yield Finding(LOST_GENERATION, place_of(alias, number), why)


def _generation(
    aliases: Aliases,
    name: str,
    alias: str,
    number: int,
    verdicts: dict[Digest, set[int]],
    served: dict[str, dict[int, Digest]],
) -> Iterator[Finding]:
    """One generation, and what it points at: its bundle, which is noted, and its verdict."""
    try:
        found = aliases.generation(alias, number)
        if found is None:
            return
        _require_exact(aliases.storage, name, "generation", found)
    except (HeadraceError, OSError) as error:
        yield Finding(DAMAGED_GENERATION, name, str(error))
        return
    served.setdefault(alias, {})[number] = found.bundle
    place = _VERDICT.fullmatch(found.verdict)
    is_there = place and int(place[2]) in verdicts.get(Digest(f"sha256:{place[1]}"), ())
    if not is_there and not (place and int(place[2]) < max(verdicts.get(found.bundle, {0}))):
        why = f"generation {number} of {alias!r} was promoted on it, and it is not there"
        yield Finding(LOST_VERDICT, found.verdict, why, bundles=(found.bundle,))
