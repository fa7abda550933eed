"""Bytes that were right, and are not quite any more: flipped, cut, spliced, or other JSON and zip files."""

from __future__ import annotations

import copy
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from random import Random  # noqa: TID251 - its seed is printed
from typing import Any

from pipeline.values.digest import canonical_json

WEIRD: Sequence[Any] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**70),
    10**400,
    0.5,
    -0.0,
    1e308,
    "",
    "a",
    "\x1b[31m",
    "\u202e",
    "../../etc/passwd",
    "sha256:" + "0" * 64,
    "2013-05-01",
    "9999-12-31",
    "0000-00-00",
    "a" * 300,
    [],
    {},
    [None],
    {"a": 1},
    [[[[[]]]]],
    {"": {"": {}}},
    [{}] * 20,
    "\x00",
    "%s%n",
    "{{}}",
    "NaN",
    "é",
)
_TOKENS = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\n",
    b"\r\n",
    b'"',
    b",",
    b"[" * 120,
    b"{" * 120,
    b"NaN",
    b"Infinity",
    b"-",
    b"1e999",
    b"PK\1\2",
    b"PK\5\6",
    b"PAR1",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"9" * 5000,
    b"\x1f\x8b",
    b"=1+1",
    b"\x1b]0;x\x07",
)

Mutation = Callable[[bytes, Random], bytes]


def of_bytes(data: bytes, draw: Random) -> bytes:
    """A few changes that know nothing of what the bytes mean."""
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 8))):
        _CHANGES[draw.randrange(len(_CHANGES))](made, draw)
    return bytes(made)


def _flip(made: bytearray, draw: Random) -> None:
    if made:
        made[draw.randrange(len(made))] ^= 1 << draw.randrange(8)


def _set(made: bytearray, draw: Random) -> None:
    if made:
        made[draw.randrange(len(made))] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))


def _set_end(made: bytearray, draw: Random) -> None:
    """In the last part, where footers are."""
    if made:
        made[-1 - draw.randrange(min(len(made), 600))] = draw.randrange(256)


def _cut(made: bytearray, draw: Random) -> None:
    del made[draw.randrange(len(made) + 1) :]


def _remove(made: bytearray, draw: Random) -> None:
    at = draw.randrange(len(made) + 1)
    del made[at : at + draw.randrange(64)]


def _insert(made: bytearray, draw: Random) -> None:
    at = draw.randrange(len(made) + 1)
    made[at:at] = draw.choice(_TOKENS)


def _copy(made: bytearray, draw: Random) -> None:
    start, at = draw.randrange(len(made) + 1), draw.randrange(len(made) + 1)
    made[at:at] = made[start : start + draw.randrange(64)]


def _number(made: bytearray, draw: Random) -> None:
    """A length or an offset, where there is one."""
    if len(made) >= 4:
        at = draw.randrange(len(made) - 3)
        made[at : at + 4] = draw.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, draw.randrange(1 << 16))).to_bytes(
            4, "little"
        )


_CHANGES = (_flip, _flip, _set, _set_end, _cut, _remove, _insert, _copy, _number)


def of_json(data: bytes, draw: Random) -> bytes:
    """A value of another shape in canonical form; now and then bytes that are in no form at all."""
    if draw.random() < 0.2:
        return of_bytes(data, draw)
    value = reshaped(json.loads(data), draw)
    try:
        return canonical_json(value)
    except (ValueError, TypeError):
        return json.dumps(value).encode()


def reshaped(value: Any, draw: Random) -> Any:
    """The value with one to three of its places changed."""
    holder = [value]
    for _ in range(draw.choice((1, 1, 2, 3))):
        _change(holder, draw)
    return holder[0]


def _change(holder: Any, draw: Random) -> None:
    place: Any = holder
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = keys[draw.randrange(len(keys))]
        below = place[key]
        if isinstance(below, dict | list) and below and draw.random() < 0.75:
            place = below
            continue
        break
    kind = draw.randrange(5) if place is not holder else 0
    if kind <= 1:
        place[key] = _weird(draw)
    elif kind == 2:
        del place[key]
    elif isinstance(place, dict):
        place[draw.choice(("more", "", "__class__", "é"))] = _weird(draw)
    else:
        place.insert(draw.randrange(len(place) + 1), _weird(draw))


def _weird(draw: Random) -> Any:
    return copy.deepcopy(draw.choice(WEIRD))


def of_archive(data: bytes, draw: Random) -> bytes:
    """A sound zip file, with one of its members changed; now and then one that is not sound."""
    if draw.random() < 0.3:
        return of_bytes(data, draw)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(sorted(members))
    members[name] = (of_json if name.endswith(".json") else of_bytes)(members[name], draw)
    if draw.random() < 0.1:
        members[draw.choice(("../x", "schema.json", "a/b", "9.npy"))] = b"\0"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return made.getvalue()


def of_gzip(data: bytes, draw: Random) -> bytes:
    """A sound gzip file of changed content; now and then one that is not sound."""
    if draw.random() < 0.5:
        return of_bytes(data, draw)
    stream = zlib.compressobj(wbits=31)
    return stream.compress(of_bytes(zlib.decompress(data, wbits=47), draw)) + stream.flush()
