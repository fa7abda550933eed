"""What serves, by whose doing and why: appended, never rewritten, and only of what the gate has passed."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from pipeline.errors import (
    AliasMoved,
    BundleDamaged,
    ConfigurationError,
    GateRefused,
    Untrusted,
)
from pipeline.release.registry import Registry
from pipeline.release.signing import Signer
from pipeline.values.bundle import Bundle
from pipeline.values.digest import canonical_json, parse_json
from tests import released
from tests.released import ALIAS, judged, promoted
from tests.world import FakeClock

PROCESSES, ROUNDS = 4, 8


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return released.registry(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def first() -> Bundle:
    return released.small()


def second() -> Bundle:
    return released.small(0.001)


# Promote and roll back.


def test_promoting_and_rolling_back_append(registry: Registry) -> None:
    one, two = promoted(registry, first()), promoted(registry, second())
    back = registry.rollback(ALIAS, "too many alarms")

    assert registry.history(ALIAS) == [one, two, back]
    assert [each.number for each in registry.history(ALIAS)] == [1, 2, 3]
    assert [each.step for each in registry.history(ALIAS)] == ["promote", "promote", "rollback"]
    assert (back.bundle, back.model, back.verdict) == (one.bundle, one.model, one.verdict)
    assert registry.current(ALIAS) == back


def test_history_says_who_why_and_when(tmp_path: Path, clock: FakeClock) -> None:
    registry = released.registry(tmp_path, clock=clock)
    digest = judged(registry, first())
    clock.advance(hours=1)

    made = registry.promote(ALIAS, digest, "  the nightly one\n was late ", 0)

    assert (made.who, made.why, made.at) == (
        getpass.getuser(),
        "the nightly one was late",
        "2013-06-01T01:00:00+00:00",
    )
    assert not made.is_automatic
    assert registry.verdict_at(made.verdict) == released.passed(first())


@pytest.mark.parametrize("why", ["", "  ", "\n\t"])
def test_a_change_without_a_reason_is_refused(registry: Registry, why: str) -> None:
    one, two = promoted(registry, first()), promoted(registry, second())

    for change in (
        lambda: registry.promote(ALIAS, one.bundle, why, 2),
        lambda: registry.rollback(ALIAS, why),
    ):
        with pytest.raises(ConfigurationError, match="needs a reason: give --why"):
            change()
    assert registry.current(ALIAS) == two


def test_aliases_are_apart(registry: Registry) -> None:
    promoted(registry, first())
    other = registry.promote("other.one-2", judged(registry, second()), f"{ALIAS}, tried", 0)

    assert registry.aliases() == ["other.one-2", ALIAS]
    assert registry.history("other.one-2") == [other]
    assert registry.current("nobody") is None


def test_promoting_what_serves_appends_nothing(registry: Registry) -> None:
    one = promoted(registry, first())

    assert registry.promote(ALIAS, one.bundle, "once more", 1) == one
    assert registry.history(ALIAS) == [one]
    with pytest.raises(AliasMoved):  # who knows of another generation is told
        registry.promote(ALIAS, one.bundle, "once more", 0)


def test_a_rollback_goes_to_a_generation_by_its_number(registry: Registry) -> None:
    one, two = promoted(registry, first()), promoted(registry, second())
    registry.rollback(ALIAS, "too many alarms")

    assert registry.rollback(ALIAS, "the alarms were right", 2).bundle == two.bundle
    assert registry.rollback(ALIAS, "they were not", 3).bundle == one.bundle


@pytest.mark.parametrize("to", [0, 1, 3, 4])
def test_there_is_no_way_back_to_what_serves_or_never_did(registry: Registry, to: int) -> None:
    promoted(registry, first())
    promoted(registry, second())
    registry.rollback(ALIAS, "too many alarms")

    with pytest.raises(ConfigurationError, match=f"none before it is generation {to}, of another"):
        registry.rollback(ALIAS, "why", to)


@pytest.mark.parametrize("alias", ["", "A", "a/b", "../a", ".a", "a b", "a\n", "ä", "a" * 65])
def test_a_bad_alias_is_refused_before_anything_is_done(registry: Registry, alias: str) -> None:
    digest = judged(registry, first())

    for ask in (
        lambda: registry.promote(alias, digest, "why", 0),
        lambda: registry.rollback(alias, "why"),
        lambda: registry.history(alias),
    ):
        with pytest.raises(ConfigurationError, match="can't be an alias: use 1 to 64 of a-z"):
            ask()
    assert not list(registry.storage.list("refs"))


# What may serve.


def test_what_was_not_at_the_gate_is_not_promoted(registry: Registry) -> None:
    digest = registry.publish(first())

    with pytest.raises(GateRefused, match="was not at the gate yet; running its task takes it there"):
        registry.promote(ALIAS, digest, "why", 0)


def test_what_the_gate_refused_is_not_promoted(registry: Registry) -> None:
    digest = registry.publish(first())
    verdict = {**released.passed(first(), "refused"), "why": ["roc_auc: 0.4 is below 0.5"]}
    registry.keep_verdict(digest, verdict)

    with pytest.raises(GateRefused, match=r"the gate refused the bundle .*: roc_auc: 0\.4 is below 0\.5"):
        registry.promote(ALIAS, digest, "why", 0)


def test_the_newest_verdict_counts(registry: Registry) -> None:
    digest = judged(registry, first())
    for number in range(2, 12):  # 10 comes after 9
        status = "refused" if number == 11 else "passed"
        assert registry.keep_verdict(digest, dict(released.passed(first(), status))).endswith(f"/{number}")

    with pytest.raises(GateRefused):
        registry.promote(ALIAS, digest, "why", 0)


def test_what_the_gate_held_back_is_promoted_by_hand_alone(registry: Registry) -> None:
    digest = judged(registry, first(), "held")

    with pytest.raises(GateRefused, match="the gate held the bundle"):
        registry.promote(ALIAS, digest, "why", 0, is_automatic=True)
    assert registry.promote(ALIAS, digest, "looked at it", 0).number == 1


@pytest.mark.parametrize("why", ["tried", f"not-{ALIAS}", f"{ALIAS}er", f"{ALIAS}.two"])
def test_a_verdict_for_another_alias_counts_only_for_who_names_it(registry: Registry, why: str) -> None:
    digest = judged(registry, first())

    with pytest.raises(GateRefused, match=f"was judged for '{ALIAS}', not compared with what serves as"):
        registry.promote("other", digest, why, 0)
    with pytest.raises(GateRefused, match=f"name {ALIAS} in --why"):
        registry.promote("other", digest, ALIAS, 0, is_automatic=True)
    assert registry.promote("other", digest, f"that of {ALIAS}.", 0).bundle == digest


def test_the_verdict_on_another_bundle_does_not_count(registry: Registry) -> None:
    judged(registry, first())
    digest = registry.publish(second())
    registry.storage.put(
        {f"verdicts/{digest.hex}/1": registry.storage.read(f"verdicts/{first().digest.hex}/1")}
    )

    with pytest.raises(BundleDamaged, match="is a verdict on another bundle"):
        registry.promote(ALIAS, digest, "why", 0)


def test_a_forged_verdict_does_not_count(registry: Registry, tmp_path: Path) -> None:
    digest = judged(registry, first(), "refused")
    place = f"verdicts/{digest.hex}/1"
    forged = parse_json(registry.storage.read(place))
    forged["verdict"]["status"] = "passed"
    registry.storage.replace(place, canonical_json(forged))
    with pytest.raises(Untrusted, match="the verdict's signature is not one of its bytes"):
        registry.promote(ALIAS, digest, "why", 0)

    stranger = released.registry(tmp_path / "stranger", registry.storage)
    stranger.keep_verdict(digest, dict(released.passed(first())))
    with pytest.raises(Untrusted, match=r"the verdict is signed by the key .*, which is not trusted here"):
        registry.promote(ALIAS, digest, "why", 0)


@pytest.mark.parametrize("data", [b"", b"[]\n", b"{}\n", b'{"verdict":1}\n'], ids=ascii)
def test_a_verdict_that_does_not_read_is_named(registry: Registry, data: bytes) -> None:
    digest = registry.publish(first())
    registry.storage.put({f"verdicts/{digest.hex}/1": data, f"verdicts/{digest.hex}/note": b"by somebody"})

    with pytest.raises(BundleDamaged, match=rf"verdicts/{digest.hex}/1 in .* does not read as a verdict"):
        registry.promote(ALIAS, digest, "why", 0)


def test_a_bundle_that_was_damaged_since_is_not_promoted(registry: Registry) -> None:
    digest = judged(registry, first())
    registry.storage.delete([next(iter(registry.storage.list("blobs")))])

    with pytest.raises(BundleDamaged):
        registry.promote(ALIAS, digest, "why", 0)
    assert registry.current(ALIAS) is None


def test_who_is_not_trusted_can_not_change_what_serves(registry: Registry, tmp_path: Path) -> None:
    """No reader would follow, and none could go back: the alias would stand still for good."""
    released.registry(tmp_path / "stranger")
    stranger = Signer.load(tmp_path / "stranger" / "release.key")

    with pytest.raises(ConfigurationError, match=f"the release key {stranger.key.short} is not among those"):
        Registry(registry.storage, registry.trust, stranger)
