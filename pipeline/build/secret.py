"""Passwords and tokens: given to a task as any parameter, and told to nobody.

A secret decides how something is reached and not what it is: it enters no key, no record and no name of a
task. Whatever text a run leaves or shows, the framework takes out each secret that this process has seen.
"""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import luigi
from luigi.parameter import ParameterVisibility

from pipeline.errors import ConfigurationError

LEAST = 8
"""So many characters a secret must have: what is shorter could not be told from other text."""
MASK = "[secret]"

_forms: dict[str, None] = {}
"""Each secret of this process, as it may stand in a text: as it is, and as JSON, Python and URLs write it."""


class Secret(str):
    """A text that no `repr` shows and no digest takes. Wherever it is made, as in a pool, it is kept out."""

    __slots__ = ()

    def __new__(cls, text: str) -> Secret:
        """Take note of it."""
        made = super().__new__(cls, text)
        if text:
            quoted = (urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text))
            for form in (text, json.dumps(text)[1:-1], str.__repr__(made)[1:-1], *quoted):
                _forms[form] = None
        return made

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (str.__str__(self),)


class SecretParameter(luigi.Parameter[str]):
    """A password or token, at best from a configuration that its owner alone may read.

    Build with it, and return nothing that holds it: of two runs with other secrets, the second finds the
    first one's values.

    Raises:
        ConfigurationError: it has less than `LEAST` characters.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(significant=False, visibility=ParameterVisibility.PRIVATE, **options)

    def normalize(self, x: str) -> str:
        """Take note of a value, whoever gives it."""
        if x and len(x) < LEAST:
            raise ConfigurationError(f"a secret has {len(x)} characters, expected {LEAST} or more")
        return Secret(x)


def hidden(text: str) -> str:
    """A text without the secrets of this process."""
    for form in sorted(_forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text
