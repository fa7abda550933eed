"""Whether a store holds what its records promise: a walk that yields what is wrong, and changes nothing.

Quick is by sizes and structure; how many blobs are read besides, the caller says. What is found of a store
that is written meanwhile may be gone a moment later, so whoever acts on it looks again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pipeline.errors import RecordDamaged
from pipeline.store.record import RECORD_PLACE, Record
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest

DAMAGED_BLOB, LOST_BLOB = "damaged blob", "lost blob"
DAMAGED_RECORD, LOST_RECORD = "damaged record", "lost record"
STRAY, MODE = "stray", "wrong mode"
UNNAMED, TEMPORARY = "unnamed blob", "temporary"
ABSENT, ABSENT_BUNDLE = "absent record", "absent bundle"
NOTES = (UNNAMED, TEMPORARY, ABSENT, ABSENT_BUNDLE)
"""What is no damage: nothing that is there is wrong or lacks anything."""

_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{2})/([0-9a-f]{62})")
_CHUNK = 8 << 20


Cure = Literal["none", "move", "unmake", "mode"]
"""What moves damage out of the way: its file to the trash, all attempts of its action, or its mode back."""


class Finding(NamedTuple):
    """One thing that is not as it should be: where, what was found and expected, and whose it is."""

    kind: str
    name: str
    why: str
    cure: Cure = "none"
    records: tuple[Record, ...] = ()
    """Whose value it is; of a lost record, those that were made from what it told of."""
    bundles: tuple[Digest, ...] = ()
    """Released bundles that need it."""

    @property
    def is_damage(self) -> bool:
        """Whether something is wrong or lacks something."""
        return self.kind not in NOTES


@dataclass
class Need:
    """Who needs a blob, and what is known of it."""

    size_bytes: int | None = None
    is_structure: bool = False
    """Whether it tells of other blobs, and so is read however quick a walk is."""
    records: list[Record] = field(default_factory=list)
    bundles: list[Digest] = field(default_factory=list)


@dataclass
class Survey:
    """A walk over one store: what it has seen, for what comes after it and for the last line."""

    storage: Storage
    is_read: Callable[[str], bool]
    """Which blobs have their bytes read, by name."""
    records: list[Record] = field(default_factory=list)
    needs: dict[str, Need] = field(default_factory=dict)
    blobs: int = 0
    size_bytes: int = 0
    blobs_read: int = 0

    def need(self, blob: Digest) -> Need:
        """Note that a blob is needed."""
        return self.needs.setdefault(blob_name(blob), Need())


def walk_records(survey: Survey) -> Iterator[Finding]:
    """What is wrong with records; those that are whole are kept, with what they need."""
    repository = Repository(survey.storage)
    newest: dict[str, Record] = {}
    attempts: dict[str, set[int]] = {}
    for name in survey.storage.list("records"):
        place = RECORD_PLACE.fullmatch(name)
        if place is None:  # a stray
            continue
        attempts.setdefault(name.rpartition("/")[0], set()).add(int(place[3]))
        try:
            record = repository.read_record(name)
        except FileNotFoundError:  # set aside meanwhile
            continue
        except RecordDamaged as error:
            yield Finding(DAMAGED_RECORD, name, error.cause, "unmake")
            continue
        except OSError as error:
            yield Finding(DAMAGED_RECORD, name, f"it can't be read: {error.strerror}", "unmake")
            continue
        survey.records.append(record)
        if record.key not in newest or newest[record.key].attempt < record.attempt:
            newest[record.key] = record
    yield from _gaps(attempts, newest)
    for record in newest.values():
        _needs_of(survey, record)


def _gaps(attempts: dict[str, set[int]], newest: dict[str, Record]) -> Iterator[Finding]:
    for folder, numbers in attempts.items():
        for number in sorted(set(range(1, max(numbers))) - numbers):
            record = newest.get(f"sha256:{folder.rpartition('/')[2]}")
            why = f"attempt {max(numbers)} is there, and attempt {number} is not: no later one is looked for"
            yield Finding(LOST_RECORD, f"{folder}/{number}", why, "unmake", (record,) if record else ())


def _needs_of(survey: Survey, record: Record) -> None:
    for out in record.outputs.values():
        need = survey.need(Digest(out["blob"]))
        need.size_bytes = out["size_bytes"]
        need.records.append(record)
    for blob in (record.recipe["code"], record.body["environment"]):
        survey.need(Digest(blob)).records.append(record)


def walk_blobs(survey: Survey) -> Iterator[Finding]:
    """What is wrong with blobs, after all who need them are known."""
    seen = set()
    for name in survey.storage.list("blobs"):
        if not _BLOB.fullmatch(name):  # a stray
            continue
        size = survey.storage.stat(name)
        if size is None:  # set aside meanwhile
            continue
        seen.add(name)
        survey.blobs += 1
        survey.size_bytes += size
        need = survey.needs.get(name)
        why = wrong(survey.storage, name, need, size, is_read=_must_read(survey, name, need, size))
        if why:
            yield _of_need(DAMAGED_BLOB, name, why, need or Need())
        elif need is None:
            yield Finding(UNNAMED, name, f"{size} bytes that no record or bundle names")
    for name, need in survey.needs.items():
        if name not in seen and survey.storage.stat(name) is None:
            yield _of_need(LOST_BLOB, name, "it is not there", need)


def _of_need(kind: str, name: str, why: str, need: Need) -> Finding:
    cure: Cure = "move" if kind == DAMAGED_BLOB else "none"
    return Finding(kind, name, why, cure, tuple(need.records), tuple(need.bundles))


def _must_read(survey: Survey, name: str, need: Need | None, size: int) -> bool:
    is_read = size == 0 or (need is not None and need.is_structure) or survey.is_read(name)
    survey.blobs_read += is_read
    return is_read


def wrong(storage: Storage, name: str, need: Need | None, size: int, is_read: bool) -> str:
    """How a blob differs from what its name, and who needs it, promise; nothing where it does not."""
    if need is not None and need.size_bytes not in (None, size):
        return f"it holds {size} bytes, expected {need.size_bytes}"
    if not is_read:
        return ""
    try:
        found = _digest(storage, name, size)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"it can't be read: {error.strerror}"
    return "" if blob_name(found) == name else f"its {size} bytes are others, of the digest {found.short}"


def _digest(storage: Storage, name: str, size: int) -> Digest:
    """The digest of a blob's bytes, however many these are."""
    found = hashlib.sha256()
    for start in range(0, size, _CHUNK):
        found.update(storage.read(name, start, _CHUNK))
    return Digest(f"sha256:{found.hexdigest()}")
