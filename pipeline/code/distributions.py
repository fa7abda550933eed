"""The versions of the distributions that packages come from, and of what these need in turn."""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import metadata

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")

UNKNOWN = "unknown"
"""The version of a package that lies in site-packages without belonging to a distribution."""


class Distributions:
    """What is installed, read once. Make a new one for each run."""

    def __init__(self) -> None:
        self._found: dict[str, metadata.Distribution | None] = {}
        self._needs: dict[str, frozenset[str]] = {}

    def versions(self, packages: Iterable[str]) -> dict[str, str]:
        """Distribution -> version: those that hold `packages` (import names), and what they need.

        Dependencies that aren't installed are left out, and so are extras: nothing tells which
        extra was asked for, and what the code uses of one it imports by itself.
        """
        versions: dict[str, str] = {}
        pending: list[str] = []
        for package in packages:
            names = self._homes.get(package)
            if names is None:
                versions[package] = UNKNOWN
            pending.extend(names or ())
        while pending:
            name = canonical(pending.pop())
            found = self._distribution(name)
            if found is not None and name not in versions:
                versions[name] = found.version
                pending.extend(self._requirements(name, found))
        return dict(sorted(versions.items()))

    @cached_property
    def _homes(self) -> Mapping[str, list[str]]:
        return metadata.packages_distributions()

    def _distribution(self, name: str) -> metadata.Distribution | None:
        if name not in self._found:
            try:
                self._found[name] = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                self._found[name] = None
        return self._found[name]

    def _requirements(self, name: str, found: metadata.Distribution) -> frozenset[str]:
        if name not in self._needs:
            names = (_required(line) for line in found.requires or ())
            self._needs[name] = frozenset(need for need in names if need)
        return self._needs[name]


def canonical(name: str) -> str:
    """The one spelling of a distribution's name (PEP 503).

    >>> canonical("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _required(line: str) -> str | None:
    """The distribution that one `Requires-Dist` line asks for; None when only an extra does."""
    requirement, _, marker = line.partition(";")
    match = _REQUIREMENT.match(requirement)
    if match is None or re.search(r"\bextra\s*==", marker):
        return None
    return match[1]
