"""`headrace fsck`: what of a store is damaged, whose that is, and what heals it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.build import session as sessions
from pipeline.commands.asking import Parser, counted
from pipeline.commands.inspecting import Inspected, inspect
from pipeline.commands.remedy import Remedy, commands
from pipeline.errors import ConfigurationError, StoreDamaged
from pipeline.release import configured
from pipeline.release.inspection import (
    DAMAGED_GENERATION,
    DAMAGED_SIGNATURE,
    DAMAGED_VERDICT,
    LOST_BUNDLE,
    LOST_GENERATION,
    LOST_VERDICT,
)
from pipeline.store.foreign import is_new
from pipeline.store.inspection import (
    DAMAGED_BLOB,
    DAMAGED_RECORD,
    LOST_BLOB,
    LOST_RECORD,
    MODE,
    NOTES,
    STRAY,
    Finding,
)
from pipeline.store.remote import open_storage
from pipeline.store.storage import Storage
from pipeline.values.digest import canonical_json

_GRAVITY = (
    LOST_GENERATION, DAMAGED_GENERATION, LOST_BUNDLE, DAMAGED_SIGNATURE, LOST_VERDICT, DAMAGED_VERDICT,
    LOST_BLOB, DAMAGED_BLOB, LOST_RECORD, DAMAGED_RECORD, STRAY, MODE, *NOTES,
)  # fmt: skip
"""The kinds in the order in which they are told: first what may be lost for good, then what is built again,
then what was only put or set wrongly."""
_SHOWN = 10
"""So many commands are told; `--json` lists all, and all findings."""
_FEW = 4
"""So many findings of a kind are told, and so much of what they reach."""


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Inspect the offline store and the online one, or the one that is named."""
    asked = _parser().parse_args(list(words))
    seed = asked.seed or os.urandom(4).hex()
    share = 1.0 if asked.full else _share(asked.sample)
    how = "full" if asked.full else f"sample of {asked.sample}, seed {seed}" if asked.sample else "quick"
    stamp = f"fsck-{sessions.current().run_id}" if asked.heal else ""
    found = [inspect(storage, _chosen(share, seed), stamp) for storage in _stores(asked.store)]
    if json:
        yield canonical_json([_fields(each, how) for each in found]).decode().rstrip()
    else:
        for each in found:
            yield from _text(each, how, stamp)
    if told := [each for each in found if each.damage]:
        raise StoreDamaged("; ".join(f"{each.survey.storage}: {each.counts()}" for each in told))


def _parser() -> Parser:
    parser = Parser("fsck")
    parser.add_argument("store", nargs="?", metavar="STORE")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--full", action="store_true")
    how.add_argument("--sample")
    parser.add_argument("--seed")
    parser.add_argument("--heal", action="store_true")
    return parser


def _share(text: str | None) -> float:
    if text is None:
        return 0.0
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not (text.endswith("%") and 0 <= share <= 1):
        raise ConfigurationError(f"--sample is {text!r}: give a share of the blobs, such as 5%")
    return share


def _chosen(share: float, seed: str) -> Callable[[str], bool]:
    """Which blobs are read: by a digest of the name and the seed, so that another walk can read the same."""

    def is_chosen(name: str) -> bool:
        drawn = hashlib.sha256(f"{seed} {name}".encode()).digest()[:8]
        return int.from_bytes(drawn, "big") < share * 2**64

    return is_chosen


def _stores(named: str | None) -> list[Storage]:
    if named is None:
        return [sessions.current().storage, configured.online()]
    if "://" not in named and not Path(named).expanduser().is_dir():
        raise ConfigurationError(
            f"there is no store at {named}: name its folder, or none for those configured"
        )
    return [open_storage(named)]


def _text(found: Inspected, how: str, stamp: str) -> Iterator[str]:
    survey = found.survey
    yield (
        f"{survey.storage}: {how}: {counted(len(survey.records), 'record')}, "
        f"{counted(survey.blobs, 'blob')} of {survey.size_bytes} bytes, {survey.blobs_read} of them read"
    )
    kinds: dict[str, list[tuple[Finding, Remedy]]] = {kind: [] for kind in _GRAVITY}
    for finding, remedy in zip(found.findings, found.remedies, strict=True):
        kinds[finding.kind].append((finding, remedy))
    for kind, told in kinds.items():
        for finding, remedy in told[:_FEW]:
            yield from _finding(finding, remedy)
        if len(told) > _FEW:
            yield f"  {kind:<17} and {len(told) - _FEW} more (--json lists all)"
    if stamp and any(found.mended):
        yield f"  moved or mended {sum(found.mended)}; what was moved lies in {survey.storage}/trash/{stamp}"
    yield from _to_run(found, is_healed=bool(stamp))
    notes = len(found.findings) - len(found.damage)
    told_of = f"; {counted(notes, 'note')}" if notes else ""
    # An empty folder is sound, and may be where a disk is not mounted.
    sound = "sound: nothing was ever kept there" if is_new(survey.storage) else "sound"
    yield f"  {found.counts() or sound}{told_of}"


def _finding(finding: Finding, remedy: Remedy) -> Iterator[str]:
    yield f"  {finding.kind:<17} {_plain(finding.name)}"
    yield f"      found     {_plain(finding.why)}"
    for word, texts in (("damages", remedy.damages), ("reaches", remedy.reaches)):
        if texts:
            more = f" and {len(texts) - _FEW} more" if len(texts) > _FEW else ""
            yield f"      {word:<9} {_plain(', '.join(texts[:_FEW]))}{more}"
    yield f"      heals     {_plain(remedy.what_heals)}"


def _to_run(found: Inspected, is_healed: bool) -> Iterator[str]:
    lines = commands(found.makers)
    if lines and found.damage:
        yield f"  what is lost is built again{'' if is_healed else ', after --heal,'} by:"
        yield from (f"      {_plain(line)}" for line in lines[:_SHOWN])
        if len(lines) > _SHOWN:
            yield f"      and {len(lines) - _SHOWN} more (--json lists all)"


def _fields(found: Inspected, how: str) -> dict[str, Any]:
    return {
        "store": str(found.survey.storage),
        "how": how,
        "records": len(found.survey.records),
        "blobs": found.survey.blobs,
        "size_bytes": found.survey.size_bytes,
        "blobs_read": found.survey.blobs_read,
        "is_sound": not found.damage,
        "findings": [
            {
                "kind": finding.kind, "name": _plain(finding.name), "why": _plain(finding.why),
                "is_damage": finding.is_damage, "is_mended": mended,
                "damages": remedy.damages, "reaches": remedy.reaches,
                "heals": remedy.what_heals,
            }
            for finding, remedy, mended in zip(found.findings, found.remedies, found.mended, strict=True)
        ],
        "commands": commands(found.makers),
    }  # fmt: skip


def _plain(text: str) -> str:
    """A text without what a terminal takes for a command: names in a store may be anybody's."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
