"""Rolling back: what serves again, and that cron never undoes what a person did."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError, GateRefused
from pipeline.release import registry as registries
from pipeline.release.registry import Registry
from pipeline.values.bundle import Bundle
from tests import released
from tests.released import ALIAS, judged, promoted, wrapped


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return released.registry(tmp_path)


def first() -> Bundle:
    return released.small()


def second() -> Bundle:
    return released.small(0.001)


def test_a_rollback_bars_the_model_from_automatic_promotion(registry: Registry) -> None:
    promoted(registry, first())
    two = promoted(registry, second())
    registry.rollback(ALIAS, "too many alarms")

    with pytest.raises(GateRefused, match=f"somebody rolled back from the model {two.model.short}"):
        promoted(registry, second(), is_automatic=True)
    with pytest.raises(GateRefused, match="only a person promotes it again"):
        promoted(registry, wrapped(second(), "in other words"), is_automatic=True)
    assert len(registry.history(ALIAS)) == 3


def test_a_person_lifts_the_bar(registry: Registry) -> None:
    promoted(registry, first())
    promoted(registry, second())
    registry.rollback(ALIAS, "too many alarms")
    promoted(registry, second())  # by hand
    promoted(registry, first(), is_automatic=True)

    assert promoted(registry, wrapped(second(), "again"), is_automatic=True).is_automatic


def test_another_model_is_promoted_automatically_after_a_rollback(registry: Registry) -> None:
    promoted(registry, first())
    promoted(registry, second())
    registry.rollback(ALIAS, "too many alarms")

    assert promoted(registry, released.small(0.01), is_automatic=True).number == 4


def test_without_the_bar_cron_would_undo_the_rollback(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(registry, first())
    promoted(registry, second())
    registry.rollback(ALIAS, "too many alarms")
    monkeypatch.setattr(registries, "_barred", lambda history: set())

    assert promoted(registry, second(), is_automatic=True).number == 4


def test_a_rollback_passes_over_what_was_rolled_back_from(registry: Registry) -> None:
    one = promoted(registry, first())
    promoted(registry, second())
    registry.rollback(ALIAS, "bad")
    promoted(registry, released.small(0.01))

    assert registry.rollback(ALIAS, "bad, too").bundle == one.bundle
    with pytest.raises(ConfigurationError, match="another model that nobody rolled back from"):
        registry.rollback(ALIAS, "and this one")


def test_a_rollback_goes_to_another_model_and_not_to_another_wrapping(registry: Registry) -> None:
    one = promoted(registry, first())
    promoted(registry, second())
    promoted(registry, wrapped(second(), "in other words"))

    assert registry.rollback(ALIAS, "bad").bundle == one.bundle


def test_a_rollback_to_a_bundle_that_served_before(registry: Registry) -> None:
    one = promoted(registry, first())
    two = promoted(registry, second())
    promoted(registry, released.small(0.01))

    assert registry.rollback(ALIAS, "the oldest", one.bundle).bundle == one.bundle
    assert registry.rollback(ALIAS, "no, the middle", two.bundle).bundle == two.bundle
    assert registry.is_barred(ALIAS, one.model)
    assert not registry.is_barred(ALIAS, two.model)


def test_there_may_be_nothing_to_roll_back_to(registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match="has no generation yet"):
        registry.rollback(ALIAS, "why")
    one = promoted(registry, first())
    for to in (None, one.bundle, judged(registry, second())):
        with pytest.raises(
            ConfigurationError, match=r"generation 1 of 'small' serves the bundle .*, and none"
        ):
            registry.rollback(ALIAS, "why", to)
    assert registry.history(ALIAS) == [one]
    with pytest.raises(
        ConfigurationError, match=f"there is nothing to roll back; the aliases there: {ALIAS}"
    ):
        registry.rollback("smal", "why")
