"""The options of `[headrace]`; and what a configuration sets that is wrong, or that nothing reads.

Luigi passes over an option that no task has: a misspelt one leaves a job on the default, without a word. What
is wrong is found before a run builds anything, whether or not that run would come to need it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress

from luigi.configuration import LuigiTomlParser, get_config
from luigi.task_register import Register, TaskClassException

from pipeline.build.declared import Declared
from pipeline.errors import ConfigurationError

log = logging.getLogger("headrace")

SECTION = "headrace"
_ALIKE = 0.8
"""A section whose name is so like a task's may be meant for it."""


class Option:
    """What counts where no configuration sets an option; and what it may be."""

    def __init__(self, default: str, expected: str = "", fits: Callable[[str], bool] = bool) -> None:
        self.default = default
        self.expected = expected
        self.fits = fits


def _one_of(*words: str) -> Option:
    """One of few words, the first by default."""
    return Option(words[0], f"set it to {' or '.join(words)}", lambda text: text in words)


def _is_count(text: str, least: int, most: int = 10**5) -> bool:
    return text.isascii() and text.isdecimal() and least <= int(text) <= most


def _count(default: int, least: int) -> Option:
    return Option(str(default), f"set it to a number, {least} or more", lambda text: _is_count(text, least))


OPTIONS: Mapping[str, Option] = {
    "module": Option(""),
    "store": Option(".headrace"),
    "landing": Option("landing"),
    "landed": Option(""),
    "metrics": Option(""),
    "processes": Option(
        "auto",
        "give how many processes a stage may build on, from 1, or auto",
        lambda text: text == "auto" or _is_count(text, 1),
    ),
    "durability": _one_of("full", "fast"),
    "online": Option(".headrace-online"),
    "release_key": Option(".headrace-keys/release.key"),
    "make_release_key": _one_of("false", "true"),
    "trusted_keys": Option(""),
    "expires_days": Option(
        "",
        "give a number of days from 2 to 3650, more than runs are ever apart, or leave it out",
        lambda text: not text or _is_count(text, 2, 3650),
    ),
    "promotion": _one_of("manual", "automatic"),
    "keep_days": _count(30, least=0),
    "keep_models": _count(5, least=2),  # what serves, and what to roll back to
    "grace_days": _count(1, least=0),
    "trash_days": _count(7, least=0),
}
"""By name; docs/operate.md says what they mean."""


def setting(name: str) -> str:
    """An option of the `[headrace]` section; ConfigurationError where it can't be that."""
    return required(name, str(get_config().get(SECTION, name, OPTIONS[name].default)), f"[{SECTION}] {name}")


def required(name: str, text: str, what: str) -> str:
    """An option's text, wherever it was said, if it can be that; words may be written in capitals."""
    option = OPTIONS[name]
    for form in (text, text.lower()):
        if not option.expected or option.fits(form):
            return form
    raise ConfigurationError(f"{what} is {text!r}; {option.expected}")


def require_sound() -> None:
    """See that all that is set for Headrace, and for its tasks that are loaded, can be that and is read.

    Raises:
        ConfigurationError: the first thing that is wrong.
    """
    for wrong in wrongs():
        raise wrong


def warn_of_misnamed() -> None:
    """Say of each section that nobody is known to read which task it may be meant for."""
    for section, task in _misnamed():
        log.warning("[%s] is for no task that is loaded; did you mean [%s]?", section, task)


def wrongs() -> Iterator[ConfigurationError]:
    """All that is wrong."""
    yield from _unread(SECTION, OPTIONS)
    said = {name.replace("-", "_") for name in _set_in(SECTION)}
    for name in filter(said.__contains__, OPTIONS):
        try:
            setting(name)
        except ConfigurationError as error:
            yield error
    for section, known in _parameters(_sections()).items():
        yield from _unread(section, sorted(known))


def _parameters(names: Collection[str]) -> dict[str, set[str]]:
    """What those of our tasks take that have one of these names."""
    found: dict[str, set[str]] = {}
    for family in set(Register.task_names()).intersection(names):
        with suppress(TaskClassException):  # two classes of one name: Luigi says so where it is asked for
            cls = Register.get_task_cls(family)
            if issubclass(cls, Declared):
                found[family] = {name for name, _ in cls.get_params()}
    return found


def _unread(section: str, known: Collection[str]) -> Iterator[ConfigurationError]:
    for name in _set_in(section):
        if name.replace("-", "_") not in known:  # Luigi takes either
            import difflib  # a night without a mistake needs none

            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            yield ConfigurationError(f"[{section}] has no option {name}, which is set: {hint}")


def _misnamed() -> Iterator[tuple[str, str]]:
    """Sections that nobody is known to read, and the task that each may be meant for."""
    import difflib

    known = {SECTION, *Register.task_names()}
    ours = _parameters(known)
    for section in _sections():
        if section not in known:
            for close in difflib.get_close_matches(section, ours, 1, _ALIKE):
                yield section, close


def _sections() -> Collection[str]:
    config = get_config()
    return tuple(config.data) if isinstance(config, LuigiTomlParser) else config.sections()


def _set_in(section: str) -> Collection[str]:
    config = get_config()
    if isinstance(config, LuigiTomlParser):
        return tuple(config.data.get(section, ()))
    # What stands under [DEFAULT] is for other options to refer to.
    return sorted(config.options(section) - config.defaults().keys()) if config.has_section(section) else ()
