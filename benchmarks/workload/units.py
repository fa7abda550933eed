"""What amounts of money are counted in. Two modules away from the features that hang on it."""

from __future__ import annotations

from typing import Any

CENTS = 100


def whole(cents: Any) -> Any:
    """Cents in the unit of the currency."""
    return cents / CENTS
