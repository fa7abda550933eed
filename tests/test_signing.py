"""Keys and signatures: who may hand over, and what a signature counts for."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pipeline.errors import ConfigurationError, Untrusted
from pipeline.release import signing
from pipeline.release.signing import Signature, Signer, Trust

DATA = b"what is handed over"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pairs of keys."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        signing.generate(folder / name)
    return folder


@pytest.fixture
def ours(keys: Path) -> Signer:
    return Signer.load(keys / "ours")


@pytest.fixture
def trust(keys: Path) -> Trust:
    return Trust.load(keys / "ours.pub")


def test_a_signature_counts_for_its_bytes_and_purpose(ours: Signer, trust: Trust) -> None:
    trust.verify("bundle", DATA, ours.sign("bundle", DATA))


def test_a_signature_of_a_bundle_never_counts_for_a_generation(ours: Signer, trust: Trust) -> None:
    with pytest.raises(Untrusted, match="the generation's signature is not one of its bytes"):
        trust.verify("generation", DATA, ours.sign("bundle", DATA))


def test_purpose_and_bytes_can_not_run_into_each_other(ours: Signer, trust: Trust) -> None:
    """Were they only joined, one of `a` and `bc` would count for `ab` and `c`."""
    for purpose, data in (("bundle", DATA[1:]), ("bundle/1 19\nw", DATA[1:]), ("bundl", b"e" + DATA)):
        with pytest.raises(Untrusted):
            trust.verify(purpose, data, ours.sign("bundle", DATA))


@pytest.mark.parametrize("place", [0, len(DATA) // 2, len(DATA) - 1])
def test_changed_bytes_are_noticed(ours: Signer, trust: Trust, place: int) -> None:
    changed = bytearray(DATA)
    changed[place] ^= 1
    for data in (bytes(changed), DATA[:-1], DATA + b"\n", b""):
        with pytest.raises(Untrusted, match="it was changed"):
            trust.verify("bundle", data, ours.sign("bundle", DATA))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s[2:],
        lambda s: ("11" if s.startswith("00") else "00") + s[2:],
        lambda s: "zz" + s[2:],
        lambda s: "",
    ],
)
def test_a_changed_signature_is_noticed(ours: Signer, trust: Trust, change: object) -> None:
    assert callable(change)
    signature = ours.sign("bundle", DATA)

    with pytest.raises(Untrusted, match="it was changed"):
        trust.verify("bundle", DATA, Signature(signature.key, change(signature.hex)))


def test_a_key_that_is_not_trusted_is_named_beside_those_that_are(
    keys: Path, ours: Signer, trust: Trust
) -> None:
    theirs = Signer.load(keys / "theirs")

    with pytest.raises(Untrusted) as refused:
        trust.verify("bundle", DATA, theirs.sign("bundle", DATA))

    assert theirs.key.short in str(refused.value)
    assert f"(trusted: {ours.key.short})" in str(refused.value)
    assert theirs.key not in trust
    assert ours.key in trust


def test_who_signs_in_the_name_of_a_trusted_key_is_refused(keys: Path, ours: Signer, trust: Trust) -> None:
    forged = Signer.load(keys / "theirs").sign("bundle", DATA)

    with pytest.raises(Untrusted, match="it was changed"):
        trust.verify("bundle", DATA, Signature(ours.key, forged.hex))


def test_several_keys_may_be_trusted_with_words_between_them(keys: Path, tmp_path: Path) -> None:
    pinned = tmp_path / "trusted.pem"
    parts = [(keys / f"{name}.pub").read_text() for name in ("ours", "theirs")]
    pinned.write_text(f"# the nightly job - Zoë's\n{parts[0]}\n\n# --- before ---\n{parts[1]}# end\n")

    trust = Trust.load(pinned)

    for name in ("ours", "theirs"):
        trust.verify("bundle", DATA, Signer.load(keys / name).sign("bundle", DATA))


def test_a_signature_is_kept_as_fields(ours: Signer) -> None:
    signature = ours.sign("bundle", DATA)

    assert Signature.of(signature.fields()) == signature
    for wrong in ({}, {"key": "x", "signature": ""}, {"key": ours.key}):
        with pytest.raises((ValueError, KeyError)):
            Signature.of(wrong)


def test_without_its_purpose_a_signature_would_count_for_anything(
    ours: Signer, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "_message", lambda purpose, data: data)

    trust.verify("generation", DATA, ours.sign("bundle", DATA))


# Key files.


def test_a_private_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        public = signing.generate(tmp_path / "new" / "release.key")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "new" / "release.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert sorted(os.listdir(tmp_path / "new")) == ["release.key", "release.key.pub"]


@pytest.mark.parametrize("there", ["release.key", "release.key.pub"])
def test_a_key_is_never_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("precious")

    with pytest.raises(ConfigurationError, match=f"{there} exists, and a key is never overwritten: move it"):
        signing.generate(tmp_path / "release.key")

    assert (tmp_path / there).read_text() == "precious"
    assert os.listdir(tmp_path) == [there]


def test_a_folder_of_keys_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    public = signing.generate(tmp_path / "link" / "release.key")

    assert Signer.load(tmp_path / "real" / "release.key").key in Trust.load(public)


def test_a_key_that_can_not_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=r"no key could be written to .*file/release\.key"):
        signing.generate(tmp_path / "file" / "release.key")


def test_of_many_who_need_a_first_key_all_go_on_with_one(tmp_path: Path) -> None:
    start = Barrier(8)

    def make() -> tuple[str, bool]:
        start.wait()
        signing.ensure(tmp_path / "release.key")
        signer = Signer.load(tmp_path / "release.key")
        return signer.key, signer.key in Trust.load(tmp_path / "release.key.pub")

    with ThreadPoolExecutor(8) as pool:
        found = {each.result() for each in [pool.submit(make) for _ in range(8)]}

    assert [is_trusted for _, is_trusted in found] == [True]
    assert sorted(os.listdir(tmp_path)) == ["release.key", "release.key.pub"]


def test_a_first_key_whose_public_part_was_lost_gets_it_again(keys: Path, tmp_path: Path) -> None:
    key = tmp_path / "release.key"
    key.write_bytes((keys / "ours").read_bytes())

    signing.ensure(key)

    assert (tmp_path / "release.key.pub").read_bytes() == (keys / "ours.pub").read_bytes()


def test_a_missing_key_tells_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as missing:
        Signer.load(tmp_path / "release.key")

    assert f"make one with `headrace keygen {tmp_path}/release.key`" in str(missing.value)
    assert "release_key" in str(missing.value)
    with pytest.raises(ConfigurationError, match=r"headrace keygen.* leaves a public key"):
        Trust.load(tmp_path / "release.key.pub")


RSA = rsa.generate_private_key(65537, 2048)
OURS = ed25519.Ed25519PrivateKey.generate()
RSA_PRIVATE = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
RSA_PUBLIC = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
OUR_PRIVATE = OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
OUR_PUBLIC = OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
LOCKED = OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", b"\xff\xfe", OUR_PUBLIC, RSA_PRIVATE, LOCKED, OUR_PRIVATE[:60]],
    ids=["empty", "nonsense", "no text", "public", "rsa", "with a password", "cut off"],
)
def test_a_private_key_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)

    with pytest.raises(ConfigurationError, match=f"{tmp_path}/key (can't be read|holds no ed25519 key)"):
        Signer.load(tmp_path / "key")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds 0 ed25519 public keys and 0 of other kinds"),
        (b"nonsense", "holds 0 ed25519 public keys"),
        (b"\xff\xfe", "can't be read"),
        (OUR_PRIVATE, "can't be read"),
        (OUR_PUBLIC[:70], "can't be read"),
        (OUR_PUBLIC + OUR_PRIVATE, "can't be read"),
        (OUR_PUBLIC + RSA_PUBLIC, "holds 1 ed25519 public keys and 1 of other kinds"),
    ],
    ids=["empty", "nonsense", "no text", "private", "cut off", "public and private", "rsa too"],
)
def test_trusted_keys_that_are_none_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "trusted.pem").write_bytes(content)

    with pytest.raises(ConfigurationError, match=says):
        Trust.load(tmp_path / "trusted.pem")
