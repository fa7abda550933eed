"""Moving damage out of the way, to the trash and never further: what is lost is then made again by a run."""

from __future__ import annotations

from pipeline.errors import RecordDamaged
from pipeline.store import foreign
from pipeline.store.aside import discard, discard_records
from pipeline.store.inspection import Finding, Survey
from pipeline.store.local import LocalStorage
from pipeline.store.record import RECORD_PLACE
from pipeline.store.repository import Repository
from pipeline.store.storage import Storage, is_name
from pipeline.values.digest import Digest


def mend(survey: Survey, finding: Finding, stamp: str) -> bool:
    """Have what a finding calls for; False where nothing is to be done, or it is as it should be by now."""
    storage = survey.storage
    if finding.cure == "mode" and isinstance(storage, LocalStorage):
        foreign.set_mode(str(storage.root), finding.name)
        return True
    if finding.cure == "unmake":
        return _unmake(Repository(storage), finding.name, stamp)
    return finding.cure == "move" and _move(storage, finding.name, stamp)


def forget_stages(storage: Storage) -> None:
    """Forget which stages were complete, so that the next run of a task looks at its records and blobs."""
    storage.delete(list(storage.list("cache/stages")))


def _unmake(repository: Repository, name: str, stamp: str) -> bool:
    """Move all attempts of an action aside, so that it counts as never made."""
    place = RECORD_PLACE.fullmatch(name)
    if place is None:
        return False
    key = Digest(f"sha256:{place[2]}")
    try:
        repository.read_record(name)
        return False
    except (RecordDamaged, FileNotFoundError):
        discard_records(repository.storage, place[1], key, stamp)
    return True


def _move(storage: Storage, name: str, stamp: str) -> bool:
    if isinstance(storage, LocalStorage) and not is_name(name):
        return foreign.set_aside(str(storage.root), name, stamp)
    return discard(storage, name, stamp)
