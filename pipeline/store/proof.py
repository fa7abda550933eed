"""What tells of bytes that they belong under a name: a blob's digest is its name, and a record has a seal."""

from __future__ import annotations

import errno

from pipeline.errors import RecordDamaged
from pipeline.store.record import parse_record
from pipeline.store.storage import Storage
from pipeline.values.digest import digest_bytes

FORMAT = b"headrace store 1\n"
UNREADABLE = (errno.EACCES, errno.EPERM, errno.EIO)
"""How reading fails of what is there: this user may not, or the disk can't."""


def is_sound(storage: Storage, name: str, place: str) -> bool:
    """Whether what lies in a place proves that it belongs under a name; of other names nothing does."""
    try:
        return _belongs(name, storage.read(place))
    except (FileNotFoundError, RecordDamaged):
        return False
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        return False


def _belongs(name: str, data: bytes) -> bool:
    if name == "format":
        return data == FORMAT
    if name.startswith("records/"):
        parse_record(name, data)
        return True
    folder, _, rest = name.partition("/sha256/")
    return folder == "blobs" and digest_bytes(data).hex == rest.replace("/", "")
