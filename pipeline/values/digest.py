"""The identity of a value: sha256 over its canonical bytes.

The invariant: equal values have equal digests, in any process and on any machine, and values that
differ in anything that a program can see have different ones. Every element is written with a tag
and a length, so that no two values share their bytes: `["ab"]` and `["a", "b"]`, `1` and `True`.

This module reads the standard library alone. Deciding that nothing is to be done needs digests, and
must not pay for Arrow. Tables have theirs in `pipeline.values.table`, models in
`pipeline.values.model`.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeGuard

if TYPE_CHECKING:
    from decimal import Decimal

MAX_DEPTH = 100
"""How deep a JSON value may be: far below where walking it would exhaust the interpreter's stack."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DOMAIN = b"headrace/value/1\n"  # a plain value never shares its digest with a blob of its bytes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Digest(str):
    """The identity of a value or blob, as `sha256:` and 64 hexadecimal digits.

    A type of its own, so that a type checker tells an identity from any other text. A `Digest` that
    exists is well formed: making one of other text raises `ValueError`.

    >>> digest_bytes(b"").short
    'e3b0c44298fc'
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check `text`; raise `ValueError` if it isn't the text of a digest."""
        if not isinstance(text, str) or not _DIGEST.fullmatch(text):
            raise ValueError(f"found {text!r:.100}, expected 'sha256:' and 64 hexadecimal digits")
        return super().__new__(cls, text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a digest that somebody wrote; `ValueError` says what was found instead."""
        return cls(text)

    @property
    def hex(self) -> str:
        """The 64 digits alone, as `sha256sum` prints them."""
        return self[7:]

    @property
    def short(self) -> str:
        """The first 12 digits: for people to read, never to look something up."""
        return self[7:19]


def digest_bytes(data: bytes | bytearray | memoryview) -> Digest:
    """Return the digest of a blob: the sha256 of its bytes, which `sha256sum` checks."""
    return str.__new__(Digest, "sha256:" + hashlib.sha256(data).hexdigest())  # well formed: nothing to check


def digest_value(value: object) -> Digest:
    """Return the digest of a plain value.

    Plain are None, bool, int, float, str, bytes, date, aware datetime, timedelta, Decimal, `Digest`
    and tuples, lists, dicts and sets of these. A tuple equals a list; a dict has no order; an
    instant is the same in every time zone; a NaN equals a NaN; `1`, `1.0` and `True` differ, and so
    do `0.0` and `-0.0`.

    `TypeError` names the place of the first element that is something else.
    """
    return digest_bytes(_DOMAIN + _encode(value))


def canonical_json(value: object) -> bytes:
    """Return the only JSON text of a value: sorted keys, no spaces, UTF-8, one newline at the end.

    Tuples are written as lists. Raises `ValueError` for NaN and infinity, which JSON can't say, and for
    what is nested more than `MAX_DEPTH` deep; `TypeError` for what isn't JSON, such as a key that isn't text.
    """
    _require_text_keys(value)
    return _encoded(value)


def parse_json(data: bytes) -> Any:
    """Read what `canonical_json` wrote.

    Anything else raises `ValueError`: a key given twice, NaN or infinity, other spacing or order, more than
    `MAX_DEPTH` levels. A record thus has one form, and bytes that read as a record are the bytes that were
    written.
    """
    value = strict_json(data)
    if _encoded(value) != data:
        raise ValueError(f"found JSON that isn't in canonical form: {data[:100]!r}")
    return value


def strict_json(data: bytes) -> Any:
    """Read JSON that somebody else wrote, in any layout.

    `ValueError` says what is wrong with it: bytes that aren't JSON in UTF-8, a key given twice, NaN or
    infinity, an integer of thousands of digits, more than `MAX_DEPTH` levels.
    """
    try:
        value = json.loads(str(data, "utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _require_shallow(value)
    return value


class _NotPlain(Exception):
    """An element has no canonical bytes; the containers around it add where it stands."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.path: list[str] = []


def _encode(value: object) -> bytes:
    try:
        return _bytes_of(value)
    except _NotPlain as refused:
        place = "value" + "".join(reversed(refused.path))
        raise TypeError(f"{place} has no digest: {refused}") from None


def _bytes_of(value: object) -> bytes:
    # By exact type: a subclass may mean something else (an enum, a pandas timestamp, a model).
    encoder = _ENCODERS.get(type(value))
    if encoder is not None:
        return encoder(value)
    if _is_decimal(value):
        return _decimal(value)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise _NotPlain(
        f"found {kind}, expected None, bool, int, float, str, bytes, date, aware datetime, "
        "timedelta, Decimal, Digest, or a tuple, list, dict or set of these"
    )


def _tagged(tag: bytes, data: bytes) -> bytes:
    return b"%b%d:%b" % (tag, len(data), data)


def _integer(value: int) -> bytes:
    # Two's complement rather than decimal: Python bounds the digits that it prints.
    return _tagged(b"i", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _float(value: float) -> bytes:
    return b"f" + struct.pack(">d", value if value == value else float("nan"))


def _date(value: date) -> bytes:
    return _tagged(b"D", value.isoformat().encode())


def _instant(value: datetime) -> bytes:
    if value.utcoffset() is None:
        raise _NotPlain(f"found the naive datetime {value}, expected one with a time zone")
    return b"T" + _integer((value - _EPOCH) // _MICROSECOND)


def _text(value: str) -> bytes:
    try:
        data = value.encode()
        return b"s%d:%b" % (len(data), data)  # most of what is encoded is text: a call less for each
    except UnicodeEncodeError:
        raise _NotPlain(f"found {value!r:.100}, which is not Unicode text") from None


def _is_decimal(value: object) -> TypeGuard[Decimal]:
    """Without importing what most runs never need: who has a Decimal has imported it."""
    decimal = sys.modules.get("decimal")
    return decimal is not None and type(value) is decimal.Decimal


def _decimal(value: Decimal) -> bytes:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return _tagged(b"c", b"nan" if value.is_nan() else b"-inf" if sign else b"inf")
    # 1.0 and 1.00 are equal, so trailing zeros go; `normalize` would round to the context.
    text = "".join(map(str, digits))
    significant = text.rstrip("0")
    scale = exponent + len(text) - len(significant) if significant else 0
    return _tagged(b"c", f"{'-' if sign else ''}{significant}e{scale}".encode())


def _sequence(values: Sequence[object]) -> bytes:
    encoded = []
    for index, value in enumerate(values):
        try:
            encoded.append(_bytes_of(value))
        except _NotPlain as refused:
            refused.path.append(f"[{index}]")
            raise
    return _tagged(b"l", b"".join(encoded))


def _set(values: Iterable[object]) -> bytes:
    try:
        return _tagged(b"S", b"".join(sorted(map(_bytes_of, values))))
    except _NotPlain as refused:
        refused.path.append("{...}")
        raise


def _mapping(values: dict[object, object]) -> bytes:
    encoded = []
    for key, value in values.items():
        try:
            encoded.append((_bytes_of(key), _bytes_of(value)))
        except _NotPlain as refused:
            refused.path.append(f"[{key!r:.100}]")
            raise
    return _tagged(b"d", b"".join([key + value for key, value in sorted(encoded)]))


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"n",
    bool: lambda value: b"t" if value else b"F",
    int: _integer,
    float: _float,
    str: _text,
    bytes: lambda value: _tagged(b"b", value),
    date: _date,
    datetime: _instant,
    timedelta: lambda value: b"u" + _integer(value // _MICROSECOND),
    Digest: lambda value: _tagged(b"#", value.encode()),
    tuple: _sequence,
    list: _sequence,
    set: _set,
    frozenset: _set,
    dict: _mapping,
}

_CONTAINERS = (dict, list, tuple)
_TOO_DEEP = f"found JSON that is nested more than {MAX_DEPTH} levels deep"
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _encoded(value: object) -> bytes:
    return _JSON.encode(value).encode() + b"\n"


def _require_text_keys(value: object, depth: int = 1) -> None:
    """Raise `TypeError` for a key that JSON would quietly turn into text, and so reorder."""
    if not isinstance(value, _CONTAINERS):
        return
    if depth > MAX_DEPTH:
        raise ValueError(_TOO_DEEP)
    items: Iterable[object] = value
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"found the key {key!r:.100} in a JSON object, expected text")
        items = value.values()
    for item in items:
        if isinstance(item, _CONTAINERS):  # asked here, too: what holds nothing costs no call
            _require_text_keys(item, depth + 1)


def _require_shallow(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    if any(isinstance(each, dict | list) for each in level):
        raise ValueError(_TOO_DEEP)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"found a key twice in a JSON object: {sorted(key for key, _ in pairs)}")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"found {name}, which is not JSON")
