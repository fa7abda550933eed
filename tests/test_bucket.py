"""What a server answers is taken for what it is, and what it refuses is said without its words."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import (
    BucketMissing,
    ConfigurationError,
    StoreError,
    StoreForbidden,
    StoreUnreachable,
    StoreUnwritable,
)
from pipeline.store.local import LocalStorage
from pipeline.store.objectstore import ObjectStorage
from pipeline.store.remote import open_storage
from tests import careless

pytest.importorskip("obstore", reason="obstore is not installed")

URL = "s3://bucket/store"
PROBE = "/bucket/store/tmp/created-once"


@pytest.fixture
def server() -> Iterator[Any]:
    with careless.served() as server:
        yield server


@pytest.fixture
def storage(server: Any) -> ObjectStorage:
    """A store whose server has refused to create the probe a second time, as it should."""
    storage = ObjectStorage(URL)
    server.answers.append((412, "PreconditionFailed"))
    storage.put({"before": b""})
    server.asked.clear()
    return storage


def test_a_server_that_ignores_conditions_is_found_out_before_anything_is_written(server: Any) -> None:
    with pytest.raises(StoreUnwritable, match="ignores `If-None-Match"):
        ObjectStorage(URL).put({"records/a": b"ours"})

    assert [*server.objects] == [PROBE]


def test_a_conflict_between_two_writers_is_asked_again(storage: ObjectStorage, server: Any) -> None:
    server.answers.append((409, "ConditionalRequestConflict"))

    assert storage.put({"a": b"ours"}) == {"a"}

    assert server.asked == ["PUT", "PUT"]
    assert server.objects["/bucket/store/a"] == b"ours"


def test_a_conflict_that_somebody_won_creates_nothing(storage: ObjectStorage, server: Any) -> None:
    server.answers += [(409, "ConditionalRequestConflict"), (412, "PreconditionFailed")]

    assert storage.put({"a": b"ours"}) == set()


def test_a_conflict_that_never_ends_is_no_success(storage: ObjectStorage, server: Any) -> None:
    server.answers += [(409, "ConditionalRequestConflict")] * 20

    with pytest.raises(StoreUnreachable, match="run again"):
        storage.put({"a": b"ours"})


def test_what_fails_in_passing_is_tried_again(storage: ObjectStorage, server: Any) -> None:
    storage.replace("a", b"data")
    server.answers.append((503, "SlowDown"))

    assert storage.read("a") == b"data"


def attempt(storage: ObjectStorage, how: str) -> None:
    if how == "read":
        storage.read("a")
    elif how == "list":
        next(storage.list(""))
    elif how == "put":
        storage.put({"a": b""})
    elif how == "replace":
        storage.replace("a", b"")
    else:
        storage.delete(["a"])


@pytest.mark.parametrize(
    ("how", "status", "code", "expected", "advice"),
    [
        ("read", 404, "NoSuchBucket", BucketMissing, "make the bucket"),
        ("list", 404, "NoSuchBucket", BucketMissing, "make the bucket"),
        ("put", 404, "NoSuchBucket", BucketMissing, "make the bucket"),
        ("read", 403, "SignatureDoesNotMatch", StoreForbidden, "credentials"),
        ("list", 403, "AccessDenied", StoreForbidden, "credentials"),
        ("put", 403, "AccessDenied", StoreUnwritable, "credentials"),
        ("replace", 403, "AccessDenied", StoreUnwritable, "credentials"),
        ("delete", 403, "AccessDenied", StoreUnwritable, "credentials"),
        ("read", 400, "AuthorizationHeaderMalformed", StoreUnreachable, "AWS_REGION"),
        ("put", 400, "InvalidRequest", StoreUnreachable, "check the network"),
    ],
)
def test_a_refusal_says_what_where_and_what_to_do_and_no_secret(
    storage: ObjectStorage,
    server: Any,
    how: str,
    status: int,
    code: str,
    expected: type[StoreError],
    advice: str,
) -> None:
    server.answers.append((status, code))

    with pytest.raises(StoreError) as refusal:
        attempt(storage, how)

    assert type(refusal.value) is expected
    told = "".join(traceback.format_exception(refusal.value))
    for part in [URL, f"127.0.0.1:{server.server_port}", advice]:
        assert part in str(refusal.value)
    assert code in str(refusal.value) or expected is BucketMissing
    assert careless.KEY not in told
    assert careless.SECRET not in told


@pytest.mark.thorough
def test_nobody_answers(storage: ObjectStorage, server: Any) -> None:
    server.shutdown()
    server.server_close()

    with pytest.raises(StoreUnreachable, match="check the network, AWS_ENDPOINT_URL and AWS_REGION"):
        storage.read("a")


@pytest.mark.parametrize(
    "url", ["s3://", "s3://b", "s3://Bucket/x", "gs://bucket/x", "s3://bucket//x", "s3://bucket/../x"]
)
def test_an_address_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="expected s3://bucket"):
        open_storage(url)


@pytest.mark.parametrize("endpoint", ["not a url", "127.0.0.1:80", "ftp://host", "http://a:secret@host"])
def test_an_endpoint_that_is_none_is_a_configuration_error(
    server: Any, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)

    with pytest.raises(ConfigurationError, match="expected http://HOST:PORT") as refusal:
        ObjectStorage(URL)
    assert "secret" not in str(refusal.value)


def test_half_of_the_credentials_are_a_configuration_error(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(ConfigurationError, match="Missing SecretAccessKey"):
        ObjectStorage(URL)


def test_where_users_have_no_home_the_cache_needs_a_place(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))

    with pytest.raises(ConfigurationError, match="XDG_CACHE_HOME"):
        open_storage(URL)


def test_a_store_in_a_folder_is_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    storage = open_storage(".headrace")

    assert isinstance(storage, LocalStorage)
    assert str(storage) == str(tmp_path / ".headrace")
