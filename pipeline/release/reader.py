"""What a service holds: the model that an alias points at, kept current, and never worse than the last good.

A reader verifies before it parses, loads beside the model that serves, replays the golden rows, and swaps
one reference between two calls. Whatever goes wrong on the way, the old model goes on serving, and the
reader says so in the log until it can move on. A copy of what serves is kept at home, for a start without
the store.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import BundleDamaged, ConfigurationError, HeadraceError, MissingData
from pipeline.release import served, signed
from pipeline.release.aliases import Aliases, Generation, check_alias, place_of
from pipeline.release.signing import Signature, Trust
from pipeline.store.local import LocalStorage
from pipeline.store.remote import open_storage, own_folder
from pipeline.store.storage import Storage
from pipeline.values.bundle import Bundle
from pipeline.values.digest import canonical_json, parse_json

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger("headrace.reader")

POLL_S = 10.0
MAX_WAIT_S = 600.0
_SEEN = "cache/seen"


@dataclass(frozen=True)
class Prediction:
    """What a model answered, and which one it was."""

    values: np.ndarray
    generation: int
    bundle: str


@dataclass(frozen=True)
class _Serving:
    generation: Generation
    model: served.Served


class Reader:
    """The model behind an alias of an online store.

    `store` is the store's folder, its `s3://bucket/prefix`, or a `Storage`. `trust` is the file of trusted
    public keys (default: what `HEADRACE_TRUST` names). `home` is a folder of this service's own, where the
    last good model is kept (default: below `~/.cache/headrace`); processes and readers may share it. With
    `poll_s`, a thread looks for a new generation that often.

    Use it as a context manager, or `close` it, to end that thread.

    Raises:
        MissingData: nothing serves under this alias yet, and nothing is kept at home.
        HeadraceError: what serves can't be loaded, nor can what is kept at home.
    """

    def __init__(
        self,
        store: str | Path | Storage,
        alias: str,
        trust: str | Path | Trust | None = None,
        home: str | Path | None = None,
        poll_s: float | None = POLL_S,
    ) -> None:
        importing = threading.Thread(target=_import_libraries, name=f"reader {alias} imports")
        importing.start()
        importing.join()
        storage = open_storage(str(store)) if isinstance(store, str | Path) else store
        known = trust if isinstance(trust, Trust) else Trust.load(_trusted(trust))
        self.alias = alias
        self.trouble: str | None = None
        """Why the reader can't move on to what the alias says; None while all is well."""
        self._online = Aliases(storage, known)
        self._home = Aliases(LocalStorage(_home(storage, alias, home)), known)
        self._seen = self._recall()
        self._lock = threading.Lock()
        self._serving = self._start()
        self._closed = threading.Event()
        if poll_s is not None:
            threading.Thread(target=self._poll, args=(poll_s,), daemon=True, name=f"reader {alias}").start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Reader({self._online.storage}, {self.alias!r}, generation {self.serving.number})"

    @property
    def serving(self) -> Generation:
        """The generation that answers now."""
        return self._serving.generation

    def predict(self, rows: Any) -> Prediction:
        """Predict each row of an Arrow table, a pandas frame or a sequence of mappings.

        Raises:
            InputRefused: names the first field that breaks the model's contract.
        """
        serving = self._serving  # one model for the whole call, whatever is swapped meanwhile
        return Prediction(
            serving.model.predict(rows), serving.generation.number, str(serving.generation.bundle)
        )

    def refresh(self) -> bool:
        """Move on to what the alias says; return whether another generation serves now.

        Where that can't be done, the old model stays, `trouble` says why, and so does the log.
        """
        with self._lock:
            before = self._serving
            try:
                self._serving = self._newest(before) or before
                self.trouble = None
            except Exception as error:  # whatever it is, there is a model that serves
                self.trouble = f"{type(error).__name__}: {error}"
                log.error(
                    "%s stays at generation %d, it can't move forward: %s",
                    self.alias, before.generation.number, self.trouble,
                )  # fmt: skip
            return self._serving is not before

    def close(self) -> None:
        """End the thread that polls."""
        self._closed.set()

    def _poll(self, poll_s: float) -> None:
        wait_s = poll_s
        while not self._closed.wait(wait_s):
            self.refresh()
            wait_s = poll_s if self.trouble is None else min(2 * wait_s, max(MAX_WAIT_S, poll_s))

    def _start(self) -> _Serving:
        """The newest generation, or else the one that is kept at home."""
        try:
            serving = self._newest(None)
            if serving is None:
                raise MissingData(
                    f"{self._online.storage} has no generation of {self.alias!r}: nothing was promoted yet, "
                    f"or this is another store"
                )
        except Exception as error:  # whatever it is, there may be a good one at home
            serving = self._last_good(error)
            self.trouble = f"{type(error).__name__}: {error}"
            log.error(
                "%s starts from the copy at home, generation %d: %s",
                self.alias, serving.generation.number, self.trouble,
            )  # fmt: skip
        return serving

    def _newest(self, now: _Serving | None) -> _Serving | None:
        """What the alias points at, loaded and proven; None where that serves already."""
        online, home = self._online, self._home
        found = list(online.following(self.alias, max(self._seen - 1, 0)))
        if not found and self._seen:
            raise BundleDamaged(
                f"{online.storage} does not have generation {self._seen} of {self.alias!r}, which was seen "
                f"before: it is away, or an older copy of the store; bring the right one back. If this is "
                f"the right one, empty {home.storage} and start again"
            )
        if not found or (now and found[-1] == now.generation):
            return None
        newest = found[-1]
        if now and newest.number == now.generation.number:
            raise BundleDamaged(
                f"generation {newest.number} of {self.alias!r} in {online.storage} is another than the one "
                f"that serves: the store was put back and went on otherwise; start again to take it as it is"
            )
        self._remember(newest.number)
        if (kept := self._kept(newest)) is not None:
            return _Serving(newest, served.proven(kept))
        bundle, signature = signed.take(online.storage, newest.bundle, online.trust)
        model = now.model if now and now.generation.bundle == newest.bundle else served.proven(bundle)
        self._keep(newest, bundle, signature)
        return _Serving(newest, model)

    # What is kept at home: the last good bundle, its generation, and the highest number that was seen.

    def _remember(self, seen: int) -> None:
        if seen > self._seen:
            self._seen = seen
            self._at_home(lambda home: home.replace(_SEEN, canonical_json(max(seen, self._recall()))))

    def _recall(self) -> int:
        try:
            seen = int(parse_json(self._home.storage.read(_SEEN)))
        except (OSError, ValueError, TypeError):
            seen = 0  # a first start, or a cache that was damaged
        return max(seen, self._newest_kept())

    def _keep(self, generation: Generation, bundle: Bundle, signature: Signature) -> None:
        """Keep what is proven, and then nothing older."""
        place = place_of(generation.alias, generation.number)

        def keep(home: Storage) -> None:
            if self._newest_kept() > generation.number:
                return  # another process of this service is ahead
            signed.put(home, bundle, signature)
            home.delete([place])  # damaged, if it is there
            home.put({place: self._online.storage.read(place)})
            wanted = {place, *signed.names(bundle)}
            old = [name for kind in ("refs", "bundles", "blobs", "trash") for name in home.list(kind)]
            home.delete([name for name in old if name not in wanted and bundle.digest.hex not in name])

        self._at_home(keep)

    def _at_home(self, write: Callable[[Storage], None]) -> None:
        """Write at home, if that can be: a service on a read-only disk serves all the same."""
        try:
            write(self._home.storage)
        except (HeadraceError, OSError) as error:
            log.warning(
                "%s can't be kept at home, a start without the store will fail: %s", self.alias, error
            )

    def _newest_kept(self) -> int:
        try:
            return max(self._home.numbers(self.alias), default=0)
        except OSError:
            return 0

    def _kept(self, generation: Generation) -> Bundle | None:
        """The bundle of a generation, if it is kept at home and whole."""
        try:
            if self._home.generation(self.alias, generation.number) == generation:
                return signed.read(self._home.storage, generation.bundle, self._home.trust)
        except (HeadraceError, OSError) as error:
            log.warning("%s: the copy at home is fetched anew: %s", self.alias, error)
        return None

    def _last_good(self, error: Exception) -> _Serving:
        """What is kept at home; where that is nothing good, the error that it should have helped over."""
        number = self._newest_kept()
        if not number:
            raise error
        try:
            [generation] = self._home.following(self.alias, number - 1)
            bundle = signed.read(self._home.storage, generation.bundle, self._home.trust)
            return _Serving(generation, served.proven(bundle))
        except Exception as lost:
            log.error("%s: nor can the copy at home be served: %s: %s", self.alias, type(lost).__name__, lost)
            raise error from lost


def _import_libraries() -> None:
    """Import what models are loaded with, on a stack of its own.

    CPython keeps frames in pieces of 16 KB, and makes and frees a piece at each call that crosses its end.
    Imported at the depth where a model is loaded, scipy does so 60,000 times: a third of a second.
    """
    with suppress(ImportError):  # loading says what is missing
        from skops import io  # noqa: F401


def _trusted(path: str | Path | None) -> Path:
    found = path or os.environ.get("HEADRACE_TRUST")
    if not found:
        raise ConfigurationError(
            "whom to trust is not said: give the file of trusted public keys as `trust`, or in HEADRACE_TRUST"
        )
    return Path(found)


def _home(storage: Storage, alias: str, home: str | Path | None) -> Path:
    check_alias(alias)
    if home is not None:
        return Path(home) / alias
    try:
        return own_folder(f"{storage} {alias}")
    except RuntimeError:
        raise ConfigurationError(
            "there is no home folder to keep the last good model in: give a folder as `home`"
        ) from None
