"""Moving aside what is damaged, to the trash: it was judged first, and is moved by its name.

Under that name a run may have put what is right meanwhile, and acknowledged it. So each is looked at once
more before it is moved, and what was taken once more afterwards; what proves that it belongs there is put
back. What remains is for whoever comes between that look and the move: what is right has no name until it is
back, and if this process ends before, it lies in the trash, and a run makes it again. A bucket has no move:
what comes between the copy and the removal is lost, and made again likewise. So whoever has the right bytes
of a blob moves nothing, and calls `Storage.supplant`, which takes nothing away.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from pipeline.store.proof import is_sound
from pipeline.store.record import record_folder
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest


def in_trash(name: str, stamp: str) -> str:
    """A place in the trash that is given to nothing else: what is moved there may have to come back."""
    return f"trash/{stamp}/{os.urandom(4).hex()}/{name}"


def discard(storage: Storage, name: str, stamp: str) -> bool:
    """Move what stands under a name to the trash, unless that is what belongs there; whether it was moved."""
    place = in_trash(name, stamp)
    if is_sound(storage, name, name) or not _move(storage, name, place):
        return False
    if not is_sound(storage, name, place):
        return True
    _put_back(storage, name, place)
    return False


def discard_records(storage: Storage, task: str, key: Digest, stamp: str) -> None:
    """Move an action's attempts, one of which is lost or damaged, to the trash: it counts as never made.

    They go as a whole, and so they stay, or come back, where all of them are sound by now.
    """
    folder = record_folder(task, key)
    names = sorted(storage.list(folder), key=lambda name: (len(name), name))  # the tenth after the second
    if _are_sound(storage, folder, {name: name for name in names}):
        return
    places = {name: in_trash(name, stamp) for name in names}
    taken = {name: place for name, place in places.items() if _move(storage, name, place)}
    if _are_sound(storage, folder, taken):
        for name, place in taken.items():
            _put_back(storage, name, place)


def _are_sound(storage: Storage, folder: str, places: Mapping[str, str]) -> bool:
    """Whether these are an action's attempts from the first to the last, wherever each lies."""
    whole = [f"{folder}/{attempt}" for attempt in range(1, len(places) + 1)]
    return list(places) == whole and all(is_sound(storage, *each) for each in places.items())


def _move(storage: Storage, name: str, place: str) -> bool:
    try:
        storage.move(name, place)
    except FileNotFoundError:
        return False
    return True


def _put_back(storage: Storage, name: str, place: str) -> None:
    """Give what was taken its name again. Of who was quicker, that stands, and this stays in the trash."""
    if storage.put({name: storage.read(place)}):
        storage.delete([place])
