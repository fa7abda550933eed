"""How much foreign bytes may unpack to, judged before anything of that size is allocated.

A megabyte can stand for a thousand of them. What a file says of its own size may be a lie, so what is judged
here is bounded where it is unpacked, too: by zlib's own limit, by the sizes that `zipfile` reads no further
than, and of Parquet by the memory of the process that tries it first (`pipeline.build.screen`).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib

FREE_BYTES = 256 << 20
"""What any file may unpack to, however small it is."""
RATIO = 200
"""And above that, how many times its own size: text packs to a tenth, and seldom to a fiftieth."""

MAX_MODEL_BYTES = 1 << 30
"""What all members of a model's archive may unpack to. Zeros pack a thousandfold, so no ratio is asked."""
MAX_MEMBERS = 1 << 18
MAX_SCHEMA_BYTES = 64 << 20
_MEMBER = re.compile(r"schema\.json|[0-9]{1,20}\.[a-z]{1,8}")
_ARRAY = re.compile(r"[a-z_]{1,20}\.npy")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class TooLarge(ValueError):
    """Bytes that unpack to more than they may."""


def allowance(size_bytes: int) -> int:
    """What a foreign file of some size may unpack to, in bytes."""
    return max(FREE_BYTES, RATIO * size_bytes)


def gunzip(data: bytes) -> bytes:
    """Unpack a gzip file of one member or several, and no further than is allowed.

    Raises:
        EOFError: the file is cut off.
        zlib.error: it is no sound gzip file.
        TooLarge: it unpacks to more than a file of its size may.
    """
    limit, rest, parts = allowance(len(data)), data, []
    while rest:
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        parts.append(stream.decompress(rest, limit + 1))
        limit -= len(parts[-1])
        if limit < 0:
            raise TooLarge(too_large("unpacks to more than", len(data)))
        if not stream.eof:
            raise EOFError
        rest = stream.unused_data.lstrip(b"\0")  # some pad with zeros
    return parts[0] if len(parts) == 1 else b"".join(parts)


def require_archive_fits(data: bytes) -> None:
    """Judge a model's zip archive, and those in it, before anything in it is parsed.

    Raises:
        ValueError: it has too many members, or of another kind than a model's, or they lie over one another.
        TooLarge: they unpack to more than they may.
        zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error: it is no sound archive.
    """
    _judge(data, MAX_MODEL_BYTES, _MEMBER)


def _judge(data: bytes, limit: int, names: re.Pattern[str]) -> int:
    """What the members of an archive unpack to; those of archives in it count."""
    if data.count(b"PK\1\2") > MAX_MEMBERS:  # else its list alone would be gigabytes
        raise ValueError(f"found an archive of more than {MAX_MEMBERS} members")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        _require_kind(members, names, len(data))
        unpacked = sum(member.file_size for member in members)
        if unpacked > limit:
            raise TooLarge(f"found an archive of {unpacked} bytes when unpacked, expected {limit} at most")
        for member in members:
            if member.filename.endswith(".npz"):
                unpacked += _judge(archive.read(member), limit - unpacked, _ARRAY)
            if member.filename == "schema.json" and member.file_size > MAX_SCHEMA_BYTES:
                raise TooLarge(
                    f"found a schema of {member.file_size} bytes, expected {MAX_SCHEMA_BYTES} at most"
                )
    return unpacked


def _require_kind(members: list[zipfile.ZipInfo], names: re.Pattern[str], size_bytes: int) -> None:
    if len({member.filename for member in members}) != len(members):
        raise ValueError("found an archive with two members of one name")
    for member in members:
        if not names.fullmatch(member.filename):
            raise ValueError(f"found a member named {member.filename!r:.100}, which no model has")
        if member.compress_type not in _METHODS or member.flag_bits & 1:
            raise ValueError(
                f"found the member {member.filename} encrypted, or packed by another way than deflate"
            )
    if sum(member.compress_size for member in members) > size_bytes:
        raise ValueError("found an archive whose members lie over one another")


def too_large(what: str, size_bytes: int) -> str:
    """What to say of a file that unpacks to more than it may."""
    return f"{what} {allowance(size_bytes)} bytes, the most that a file of {size_bytes} bytes may"
