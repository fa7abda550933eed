"""Bundles in a store: signed when they are written, verified before they are parsed.

The files and the manifest are blobs, and `bundles/<digest>/<key>` holds a signature by that key: what is
written last, so that a bundle that is named is whole.
"""

from __future__ import annotations

from contextlib import suppress

from pipeline.errors import BlobDamaged, BlobMissing, BundleDamaged, HeadraceError, Untrusted
from pipeline.release.glance import signatures
from pipeline.release.signing import Signature, Signer, Trust
from pipeline.store.proof import FORMAT as STORE_FORMAT
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import Storage
from pipeline.values.bundle import FILES, Bundle, require_format
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json
from pipeline.values.shape import natural, require

MAX_MANIFEST_BYTES = 1 << 20
MAX_BYTES = 4 << 30
"""What a reader takes from a store before anything is verified."""
_FILE = {"digest": Digest, "size_bytes": natural}
_MANIFEST = {"format": str, "model": str, "files": dict.fromkeys(FILES, _FILE)}


def names(bundle: Bundle) -> list[str]:
    """The blobs of a bundle, by their names in a store."""
    return [blob_name(digest_bytes(data)) for data in (*bundle.files.values(), bundle.manifest())]


def write(storage: Storage, bundle: Bundle, signer: Signer) -> Digest:
    """Put a bundle into a store: its files and manifest, then the signature. Idempotent; damage is mended."""
    put(storage, bundle, signer.sign("bundle", bundle.manifest()))
    return bundle.digest


def put(storage: Storage, bundle: Bundle, signature: Signature) -> None:
    """What `write` does, with a signature that was made before: `take` gave it from another store.

    Once the signature says that the bundle is whole, that is looked at: a collection may have taken a file
    that was there already. It looks once more after that, too, as `Repository.commit` says.
    """
    blobs = {digest_bytes(data): data for data in (*bundle.files.values(), bundle.manifest())}
    repository = Repository(storage)
    repository.open()
    for blob, data in blobs.items():
        if storage.stat(blob_name(blob)) is not None and not _is_whole(repository, blob):
            repository.supplant(blob, data, f"damaged-{blob.short}")
    items = {"format": STORE_FORMAT, **{blob_name(blob): data for blob, data in blobs.items()}}
    place, text = f"{signatures(bundle.digest)}/{signature.key.hex}", canonical_json(signature.fields())
    with suppress(FileNotFoundError):
        if storage.read(place, 0, len(text) + 1) != text:
            storage.delete([place])
    items[place] = text  # the last: what is named is whole
    storage.put({name: data for name, data in items.items() if name != place})
    storage.put({place: text})
    if any(storage.stat(name) is None for name in items):
        storage.put(items)


def read(storage: Storage, bundle: Digest, trust: Trust) -> Bundle:
    """A bundle, every byte of which a trusted key vouches for.

    Raises:
        BundleDamaged: a file is missing, or has other bytes than the manifest says.
        Untrusted: nobody who is trusted here signed it.
    """
    return take(storage, bundle, trust)[0]


def take(storage: Storage, bundle: Digest, trust: Trust) -> tuple[Bundle, Signature]:
    """What `read` gives, with the signature that counted."""
    manifest = _blob(storage, bundle, "manifest", MAX_MANIFEST_BYTES)
    signature = _verified(storage, bundle, manifest, trust)
    return _parse(storage, manifest), signature


def _is_whole(repository: Repository, blob: Digest) -> bool:
    try:
        repository.read_blob(blob)
    except (BlobDamaged, BlobMissing):
        return False
    return True


def _verified(storage: Storage, bundle: Digest, manifest: bytes, trust: Trust) -> Signature:
    """The first signature that counts; what is wrong with the last where none does."""
    refused: HeadraceError = Untrusted(
        f"nobody has signed the bundle {bundle.short} in {storage}: publish it"
    )
    for name in storage.list(signatures(bundle)):
        try:
            signature = Signature.of(parse_json(storage.read(name, 0, MAX_MANIFEST_BYTES)))
            trust.verify("bundle", manifest, signature)
        except FileNotFoundError:  # collected meanwhile
            continue
        except ValueError as error:
            refused = BundleDamaged(
                f"{name} in {storage} does not read as a signature ({error}): publish the bundle again"
            )
        except Untrusted as error:
            refused = error
        else:
            return signature
    raise refused


def _parse(storage: Storage, data: bytes) -> Bundle:
    try:
        manifest = parse_json(data)
        require_format(manifest)
        require(manifest, _MANIFEST)
        entries = {
            name: (Digest(entry["digest"]), entry["size_bytes"]) for name, entry in manifest["files"].items()
        }
    except ValueError as error:
        raise BundleDamaged(f"the manifest {digest_bytes(data).short} can't be used: {error}") from None
    if sum(size for _, size in entries.values()) > MAX_BYTES:
        raise BundleDamaged(f"the manifest {digest_bytes(data).short} names more than {MAX_BYTES} bytes")
    return Bundle(
        manifest["model"],
        {name: _blob(storage, blob, name, size) for name, (blob, size) in entries.items()},
    )


def _blob(storage: Storage, blob: Digest, name: str, size_bytes: int) -> bytes:
    """A file's bytes, of which no more are read than were promised."""
    try:
        data = storage.read(blob_name(blob), 0, size_bytes)
    except FileNotFoundError:
        raise BundleDamaged(f"{storage} has no {name} {blob.short}: publish the bundle again") from None
    if digest_bytes(data) != blob:
        raise BundleDamaged(
            f"{name} in {storage} holds other bytes than {blob.short}: publish the bundle again"
        )
    return data
