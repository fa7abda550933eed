"""The options of the `[headrace]` section; and what a configuration sets that nothing reads.

Luigi passes over an option that no task has: a misspelt one leaves a job on the default, without a word.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from contextlib import suppress

from luigi.configuration import LuigiTomlParser, get_config
from luigi.task_register import Register, TaskClassException

from pipeline.build.declared import Declared
from pipeline.errors import ConfigurationError

SECTION = "headrace"
DEFAULTS: Mapping[str, str] = {
    "module": "",
    "store": ".headrace",
    "landing": "landing",
    "landed": "",
    "metrics": "",
    "processes": "auto",
    "durability": "full",
    "online": ".headrace-online",
    "release_key": ".headrace-keys/release.key",
    "make_release_key": "false",
    "trusted_keys": "",
    "expires_days": "",
    "promotion": "manual",
    "keep_days": "30",
    "keep_models": "5",
    "grace_days": "1",
    "trash_days": "7",
}
"""Each option, and what counts where no configuration sets it; docs/operate.md says what they mean."""


def setting(name: str) -> str:
    """An option of the `[headrace]` section."""
    return str(get_config().get(SECTION, name, DEFAULTS[name]))


def require_known() -> None:
    """See that all that is set for Headrace, and for its tasks that are loaded, is read by somebody.

    Raises:
        ConfigurationError: an option is misspelt, or in the wrong section.
    """
    _require(SECTION, DEFAULTS)
    config = get_config()
    sections = config.data if isinstance(config, LuigiTomlParser) else config.sections()
    for family in Register.task_names():
        if family in sections:
            with suppress(TaskClassException):  # two classes of one name: Luigi says so where it is asked for
                cls = Register.get_task_cls(family)
                if issubclass(cls, Declared):
                    _require(family, [name for name, _ in cls.get_params()])


def _require(section: str, known: Collection[str]) -> None:
    for name in _set_in(section):
        if name.replace("-", "_") not in known:  # Luigi takes either
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known) or 'none'}"
            raise ConfigurationError(f"[{section}] has no option {name}, which is set: {hint}")


def _set_in(section: str) -> Collection[str]:
    config = get_config()
    if isinstance(config, LuigiTomlParser):
        return tuple(config.data.get(section, ()))
    # What stands under [DEFAULT] is for other options to refer to.
    return config.options(section) - config.defaults().keys() if config.has_section(section) else ()
