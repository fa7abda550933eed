"""Names that would lead elsewhere: of aliases, bundles, files in a store, days."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pipeline.build.landing import Files
from pipeline.build.parameter import DatesParameter
from pipeline.errors import BadName, ConfigurationError
from pipeline.release.aliases import Aliases, check_alias
from pipeline.release.signing import Trust
from pipeline.store.storage import MemoryStorage
from tests.hostile import Case

ANYWHERE = (
    "",
    ".",
    "..",
    "../x",
    "../../etc/passwd",
    "/etc/passwd",
    "a/../b",
    "a//b",
    "a/",
    "a\\..\\b",
    "C:\\x",
    "a\0b",
    "a\nb",
    "a\n",
    "a\rb",
    "\x1b[2J",
    "\x1b]0;title\x07",
    "a b",
    " a",
    "~root",
    "$HOME",
    "`id`",
    "a;b",
    "a|b",
    "%2e%2e%2f",
    "a?b",
    "a#b",
    "a*b",
    "file:///etc/passwd",
    "https://host/x",
    "\u202eabc",
    "\u200bab",
    "é",
    "\uff41",
    ".hidden",
    "a/.hidden",
    "a\ud800",
    "a" * 4096,
    "'a'",
    '"a"',
    "<a>",
    "&a;",
    "{day}",
    "a,b",
)
ALIASES = ("UPPER", "-rf", "_a", "a" * 65, "a/b", "a:b", "a@b", "a=b")
STORED = ("tmp", "tmp/x", "a/" + "b" * 129, "a:b")
BUNDLES = (
    "",
    "abc",
    "sha256:",
    "sha256:12",
    "../../..",
    "%",
    "zzzzzz",
    "......",
    "a" * 65,
    "ABCDEF",
    "\x1b[2J\x1b[2J",
)
INTERVALS = (
    "",
    "2013-13",
    "2013-02-30",
    "2013-00",
    "0000",
    "10000",
    "2013-05-01-2013-04-01",
    "2013-05-02..2013-05-01",
    "today..yesterday",
    "today-x..today",
    "today-99999999..today",
    "..",
    "..2013",
    "2013..",
    "2013/05",
    "2013-5",
    "٢٠١٣-05-01",
    "2013-05-01T25",
    "2013-05-01T07:30",
    "-2013",
    "2013-05-01\n",
    "2013-05-01\0",
    "'; drop table",
    "NaN",
    "1e3",
    "[2013]",
    "2013-W60",
    "9" * 5000,
    "2013-05-01..2013-05-02..2013-05-03",
    "\x1b[2J",
)
PATTERNS = ("", "sales.csv", "{day}/sales.csv", "../{hour}/x", "{date}.csv", "{}")


def cases() -> Iterator[Case]:
    """The hostile names."""
    for name in (*ANYWHERE, *ALIASES):
        yield Case(
            f"alias {_short(name)}", partial(check_alias, name), ConfigurationError, "can't be an alias"
        )
    for name in (*ANYWHERE, *STORED):
        if name != "a/":
            yield Case(f"name {_short(name)}", partial(_put, name), BadName, "bad name in a store")
    aliases = Aliases(MemoryStorage(), Trust(()))
    aliases.storage.put(
        {"bundles/abcdef-evil/x": b"", "bundles/abcdef/x": b"", f"bundles/{'ABCDEF' * 11}/x": b""}
    )
    for name in (*BUNDLES, "abcdef"):
        yield Case(f"bundle {_short(name)}", partial(aliases.find, name), ConfigurationError)
    for text in INTERVALS:
        yield Case(f"interval {_short(text)}", partial(DatesParameter().parse, text), ConfigurationError)
    for text in PATTERNS:
        yield Case(
            f"pattern {text!a}", partial(Files, text), ConfigurationError, "has no {day} in its file name"
        )


def _put(name: str) -> None:
    MemoryStorage().put({name: b""})


def _short(name: str) -> str:
    """A name as a case's name may hold it."""
    return ascii(name) if len(name) <= 40 else f"{name[:20]!a} and {len(name) - 20} more"
