"""Which bundles are kept: those that served last under each alias, and those that were judged of late.

A bundle is pinned by an alias of its own: what serves under an alias is always kept. Generations and verdicts
are never collected: what served when, by whose doing and why, and what the gate said, stays.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.errors import ViewIncomplete
from pipeline.store.mark import Item, View
from pipeline.store.reach import is_young
from pipeline.store.repository import blob_name
from pipeline.values.digest import Digest, digest_bytes, parse_json


class Retention(NamedTuple):
    """The bundles that are kept, with the signatures of all, and what is said of them."""

    bundles: frozenset[Digest]
    items: tuple[Item, ...]


def retention(view: View, models: int, since: datetime.datetime) -> Retention:
    """What of a store's bundles is kept: the last so many of each alias, and what was judged, or began to
    serve, since then; with each, the one that it was judged against."""
    kept: set[str] = set()
    for generations in _aliases(view).values():
        served = list(dict.fromkeys(str(each["bundle"]) for each in generations))
        kept |= set(served[:models])
        kept |= {str(each["bundle"]) for each in generations if is_young(str(each["at"]), since)}
    verdicts = _verdicts(view)
    kept |= {bundle for bundle, found in verdicts.items() if is_young(str(found["at"]), since)}
    kept |= {str(verdicts[bundle]["champion"]) for bundle in kept & verdicts.keys()} - {"None"}
    items = [*_items(view, kept, verdicts)]
    present = {f"sha256:{name.split('/')[1]}" for name in view.below("bundles")}
    return Retention(frozenset(Digest(bundle) for bundle in kept & present), tuple(items))


def _aliases(view: View) -> dict[str, list[Mapping[str, Any]]]:
    """The generations of each alias, the newest first. Who signed them is the reader's question."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name in sorted(view.below("refs"), reverse=True):
        found.setdefault(name.split("/")[1], []).append(_field(view, name, "generation"))
    return found


def _verdicts(view: View) -> dict[str, Mapping[str, Any]]:
    """The newest verdict on each bundle."""
    newest: dict[str, int] = {}
    for name in view.below("verdicts"):
        _, bundle, number = name.split("/")
        newest[bundle] = max(newest.get(bundle, 0), int(number))
    return {
        f"sha256:{bundle}": _field(view, f"verdicts/{bundle}/{number}", "verdict")
        for bundle, number in newest.items()
    }


def _items(view: View, kept: set[str], verdicts: Mapping[str, Mapping[str, Any]]) -> Iterator[Item]:
    folders: dict[str, list[str]] = {}
    for name in view.below("bundles"):
        folders.setdefault(name.split("/")[1], []).append(name)
    for lost in sorted(
        kept - {f"sha256:{bundle}" for bundle in folders}
    ):  # its signature is; the rest may not be
        yield Item("bundles", (), True, "", _files(view, Digest(lost), False))
    for bundle, names in folders.items():
        digest = Digest(f"sha256:{bundle}")
        at = str(verdicts.get(digest, {}).get("at", ""))
        yield Item("bundles", tuple(names), digest in kept, at, _files(view, digest, digest in kept))
    yield from (
        Item("history", (name,), True) for folder in ("verdicts", "refs") for name in view.below(folder)
    )


def _files(view: View, bundle: Digest, is_kept: bool) -> frozenset[str]:
    """The blobs of a bundle: its manifest, and the files that this names."""
    try:
        data = view.read(blob_name(bundle))
        if digest_bytes(data) != bundle:
            raise ValueError(f"it holds {len(data)} other bytes")
        files = [Digest(entry["digest"]) for entry in parse_json(data)["files"].values()]
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError) as error:
        if not is_kept:
            return frozenset()
        raise ViewIncomplete(
            f"the manifest of the bundle {bundle.short} in {view.storage} can't be read ({error}), so "
            f"its files are not known. Publish it again; nothing was taken"
        ) from None
    return frozenset(map(blob_name, (bundle, *files)))


def _field(view: View, name: str, field: str) -> Mapping[str, Any]:
    """What a generation or a verdict says."""
    needed = {"generation": ("bundle", "at"), "verdict": ("at", "champion")}[field]
    try:
        found = parse_json(view.read(name))[field]
        if not all(each in found for each in needed):
            raise ValueError(f"found {sorted(found)}, expected {', '.join(needed)} among them")
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ViewIncomplete(
            f"{name} in {view.storage} does not read as a {field} ({error}): `headrace fsck` says "
            f"what heals it; nothing was taken"
        ) from None
    body: Mapping[str, Any] = found
    return body
