"""Text from data, file names and other people's errors, so that it can be shown to nobody's harm.

A terminal obeys control characters: they move its cursor, set its title, even answer for its user. Some
others turn the direction of writing, so that a text reads as another one than it is.
"""

from __future__ import annotations

import re

_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and newline, DEL, C1
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # direction, and what has no width
    "\ud800-\udfff]"  # half a pair: no text, and no encoding takes it
)


def printable(text: str) -> str:
    r"""The text with what a terminal obeys written out, as JSON would.

    >>> print(printable("\x1b[2Jgone"))
    \u001b[2Jgone
    """
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
