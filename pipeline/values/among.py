"""Whether all texts of a column are among the few that it may hold, without making a string of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.values.contract import Column

if TYPE_CHECKING:
    import pyarrow as pa

_LETTERS = 4  # bytes of a text that is a number of 32 bits
_FEW = 8  # with more to compare to, finding the different texts is the faster way


class TextRule(NamedTuple):
    """What the texts of one column may be; `among` is empty where they may be any.

    Where `among` are few, short and equally long, as codes of airports are, `width` is their length in bytes,
    and `codes` are they, read as numbers; else there are none.
    """

    nullable: bool
    among: frozenset[str]
    width: int
    codes: tuple[int, ...]


def text_rule(column: Column) -> TextRule:
    """The rule of a column of texts."""
    spelt = [text.encode("utf-8", "surrogatepass") for text in column.among]
    width = len(spelt[0]) if spelt and len({*map(len, spelt)}) == 1 and len(spelt) <= _FEW else 0
    codes = [int.from_bytes(each, "big") for each in spelt] if 0 < width <= _LETTERS else []
    return TextRule(column.nullable, frozenset(column.among), width, tuple(codes))


def texts_keep(rule: TextRule, texts: pa.ChunkedArray) -> bool:
    """Whether texts, of Arrow's type string or large_string, keep a rule."""
    if texts.null_count and not rule.nullable:
        return False
    if not rule.among or (rule.codes and all(_are_codes(rule, chunk) for chunk in texts.chunks)):
        return True
    return {*rule.among, None}.issuperset(texts.unique().to_pylist())


def _are_codes(rule: TextRule, texts: pa.Array) -> bool:
    """Whether each text is one of a rule's codes; a no may be wrong where one is null.

    Looked at as numbers, where Arrow lets them lie, they take half the time of finding the different ones.
    """
    import numpy as np

    if not len(texts) or texts.null_count:
        return not len(texts)
    _, offsets, letters = texts.buffers()
    kind = np.dtype(np.int64 if texts.type == "large_string" else np.int32)
    ends = np.frombuffer(offsets, kind, len(texts) + 1, texts.offset * kind.itemsize)
    if (ends[1:] - ends[:-1] != rule.width).any():
        return False
    spelt = np.frombuffer(letters, np.uint8, len(texts) * rule.width, int(ends[0])).reshape(-1, rule.width)
    codes = spelt[:, 0].astype(np.uint32)
    for letter in range(1, rule.width):
        codes = codes * 256 + spelt[:, letter]
    is_right = codes == rule.codes[0]
    for code in rule.codes[1:]:
        is_right |= codes == code
    return bool(is_right.all())
