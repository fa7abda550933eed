"""Luigi's configuration, with defaults that suit a batch job under cron and never override the user's.

Luigi's own defaults exit 0 when a task failed and look for a scheduler on a port. Each option here is set
only where no configuration file has set it. A project adds its own file of defaults with `use_defaults`.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from luigi.configuration import get_config

from pipeline.build import messages
from pipeline.build.options import setting
from pipeline.errors import ConfigurationError
from pipeline.store.local import Durability
from pipeline.store.remote import open_storage
from pipeline.store.storage import Storage

LUIGI_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "core": {
        "local_scheduler": "true",
        "log_level": "WARNING",  # Luigi's own chatter doubles the time of a run; ours says what was done
    },
    "worker": {"check_complete_on_run": "true"},
    "retcode": {
        "already_running": "10",
        "missing_data": "20",
        "not_run": "15",  # Luigi ends with the highest that fits: data that is missing says more
        "task_failed": "30",
        "scheduling_error": "35",
        "unhandled_exception": "40",
    },
}
NAMED_BY = "LUIGI_CONFIG_PATH"
"""The environment variable that names a configuration file."""


def use_defaults(file: Path, root: Path) -> None:
    """Take each option of a file that nothing has set yet; `%(root)s` in it stands for a folder."""
    messages.install()
    parser = configparser.ConfigParser(defaults={"root": str(root)})
    try:
        with file.open(encoding="utf-8") as lines:
            parser.read_file(lines)
        options = {name: dict(parser.items(name)) for name in parser.sections()}
    except (OSError, configparser.Error) as error:
        raise ConfigurationError(f"{file} can't be read as a configuration: {error}") from None
    for section in options.values():
        section.pop("root")
    set_absent(options)


def set_absent(options: Mapping[str, Mapping[str, str]]) -> None:
    """Set options that no configuration has; the one that the environment names must be there to say so."""
    _require_named_file()
    config = get_config()
    for section, values in options.items():
        for name, value in values.items():
            if not config.has_option(section, name):
                config.set(section, name, value)


def _require_named_file() -> None:
    """Luigi only warns where its file can't be had, and a job would run on the defaults of another place."""
    path = os.environ.get(NAMED_BY)
    if not path:
        return
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"{NAMED_BY} names {path}, which can't be read: {error.strerror}; correct it, or unset it"
        ) from None


def storage(name: str, durability: Durability = "full") -> Storage:
    """A store of the `[headrace]` section: at `s3://bucket/prefix`, or in a folder."""
    return open_storage(setting(name), durability)


def folder(name: str) -> Path:
    """A folder of the `[headrace]` section; a relative one is below the working directory."""
    return Path(os.path.expanduser(setting(name))).absolute()
