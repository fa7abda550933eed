"""The few requests that a store makes of a bucket, through obstore, and what refusals of them mean.

obstore tries again what fails in passing, with growing waits. Its words about what failed in the end are not
passed on: a server's answer may quote the key that the request was signed with.
"""

from __future__ import annotations

import builtins
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.errors import (
    BucketMissing,
    ConfigurationError,
    StoreError,
    StoreForbidden,
    StoreUnreachable,
    StoreUnwritable,
)

if TYPE_CHECKING:
    from obstore.store import S3Store

ENDPOINT = "AWS_ENDPOINT_URL"
"""The environment variable that names a server other than Amazon's."""

_URL = re.compile(
    r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9_=+@-][A-Za-z0-9_.=+@-]{0,127})*)/?"
)
_ENDPOINT = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9_./-]*)?")
_CONFLICTS = 20
"""So often a create is asked again that the server refused only because another was under way."""
_CAUSES = (
    r"<Code>(\w+)</Code>",
    r"\(code: (\w+)\)",
    r"status code: (\d{3} [A-Za-z ]+)",
    r"HTTP error: ([a-z ]+)",
)
_METADATA = "169.254.169.254"
"""Where Amazon's machines find their role: who is sent there has no credentials in the environment."""


_asked_in: int | None = None
"""The process in which obstore was first asked."""


class Bucket:
    """The part of a bucket below a prefix; every request of one process may come from any of its threads.

    Credentials are what obstore finds in the environment; they are kept nowhere else.

    Raises:
        ConfigurationError: the URL is no `s3://bucket/prefix`, the environment says what can't be used, or
            obstore is not installed.
    """

    def __init__(self, url: str) -> None:
        found = _URL.fullmatch(url)
        if found is None:
            raise ConfigurationError(
                f"{url!r} can't be a store: expected s3://bucket or s3://bucket/prefix, the prefix of "
                f"A-Z a-z 0-9 _ . = + @ - and /"
            )
        self.url = url.rstrip("/")
        self._store = _client(found[1], found[2].strip("/"))

    def read(self, path: str, start: int, size: int | None) -> bytes | None:
        """Some bytes of an object, none beyond its end; None where there is no such object."""
        import obstore

        if size == 0:
            return None if self.size(path) is None else b""
        options: obstore.GetOptions = {}
        if size is not None:
            options["range"] = (start, start + size)
        elif start:
            options["range"] = {"offset": start}
        with self._asking("read"):
            try:
                return bytes(obstore.get(self._store, path, options=options).bytes())
            except FileNotFoundError as error:
                _let_pass_a_missing_bucket(error)
                return None
            except obstore.exceptions.GenericError as error:
                if (start or size) and "status code: 416" in str(error):
                    return b""
                raise

    def create(self, path: str, data: bytes) -> bool:
        """Make an object that is not there; False where it is.

        Where the answer to the first try was lost, the object that is there may be this one.
        """
        import obstore

        with self._asking("written"):
            for _ in range(_CONFLICTS):
                try:
                    obstore.put(self._store, path, data, mode="create", use_multipart=False)
                except obstore.exceptions.AlreadyExistsError as error:
                    if "status code: 409" in str(error):
                        continue  # the other writer may fail yet, and then nothing is there
                    return False
                return True
        raise StoreUnreachable(
            f"{self.url} refused {_CONFLICTS} times to create {path!r} because of another writer, who never "
            f"finished; expected one of them to win: run again"
        )

    def set(self, path: str, data: bytes) -> None:
        """Make an object of these bytes, or give it these."""
        import obstore

        with self._asking("written"):
            obstore.put(self._store, path, data)

    def size(self, path: str) -> int | None:
        """An object's size in bytes; None where there is no such object."""
        import obstore

        with self._asking("read"):
            try:
                return obstore.head(self._store, path)["size"]
            except FileNotFoundError:
                return None

    def created_at(self, path: str) -> datetime | None:
        """When an object got its bytes, by the server's clock; None where there is no such object."""
        import obstore

        with self._asking("read"):
            try:
                return obstore.head(self._store, path)["last_modified"]
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> builtins.list[str]:
        """The paths below a prefix, which ends at a `/`, in the server's own order."""
        import obstore

        with self._asking("listed"):
            found = obstore.list(self._store, prefix.rstrip("/") or None, chunk_size=1000)
            return [str(entry["path"]) for chunk in found for entry in chunk]

    def remove(self, paths: Sequence[str]) -> None:
        """Remove objects; those that are not there are fine."""
        import obstore

        with self._asking("written"):
            obstore.delete(self._store, paths)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        import obstore

        global _asked_in
        _asked_in = os.getpid()
        try:
            yield
        except (obstore.exceptions.BaseError, FileNotFoundError) as error:
            # From nothing: what the server said may hold what it was asked with.
            raise self._refusal(str(error), type(error).__name__, what) from None

    def _refusal(self, said: str, kind: str, what: str) -> StoreError:
        """What it means that a request was refused in the end."""
        cause = next((found[1].strip() for pattern in _CAUSES if (found := re.search(pattern, said))), kind)
        if "NoSuchBucket" in said:
            return BucketMissing(
                f"there is no bucket of the store {self.url} at {where()}; make the bucket, or correct "
                f"the store in [headrace] or {ENDPOINT}"
            )
        if _METADATA in said:
            return StoreForbidden(
                f"{self.url} can't be asked: no credentials in the environment, and no role of this machine "
                f"({cause}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        if kind in ("PermissionDeniedError", "UnauthenticatedError") or re.search(
            "code: 40[13]|Denied", said
        ):
            error = StoreUnwritable if what == "written" else StoreForbidden
            return error(
                f"{self.url} at {where()} can't be {what} with these credentials ({cause}); correct them in "
                f"the environment, or let them get, list, put and delete objects there"
            )
        return StoreUnreachable(
            f"{self.url} can't be {what}: {where()} gave no usable answer ({cause}), tried again included; "
            f"check the network, {ENDPOINT} and AWS_REGION, then run again"
        )


def answers_here() -> bool:
    """Whether obstore can be asked in this process: its threads don't survive a fork."""
    return _asked_in in (None, os.getpid())


def where() -> str:
    """The server that is asked, for messages and for telling apart what is called alike."""
    return urlsplit(os.environ.get(ENDPOINT, "")).netloc or "Amazon S3"


def _client(bucket: str, prefix: str) -> S3Store:
    try:
        from obstore.store import S3Store
    except ImportError:
        raise ConfigurationError(
            "a store at s3:// needs obstore, which is not installed: pip install 'headrace[s3]'"
        ) from None
    from obstore.exceptions import BaseError

    endpoint = os.environ.get(ENDPOINT, "")
    if endpoint and not _ENDPOINT.fullmatch(endpoint):  # obstore would panic
        raise ConfigurationError(f"{ENDPOINT} names no server: expected http://HOST:PORT or https://HOST")
    try:
        return S3Store(
            bucket,
            prefix=prefix or None,
            client_options={
                "allow_http": endpoint.startswith("http://"),  # asked for in so many words
                "timeout": timedelta(minutes=5),  # of one request: a blob of a gigabyte on a slow line
            },
            retry_config={"max_retries": 6, "retry_timeout": timedelta(minutes=1)},
        )
    except BaseError as error:
        why = re.search(r"Missing \w+", str(error))
        raise ConfigurationError(
            f"obstore can't use what the environment says of S3 ({why[0] if why else type(error).__name__}); "
            f"correct the variables that begin with AWS_"
        ) from None


def _let_pass_a_missing_bucket(error: FileNotFoundError) -> None:
    """An object that is not there is an answer; a bucket that is not there is none."""
    if "NoSuchBucket" in str(error):
        raise error
