"""Every hostile case of `tests.hostile` ends in its named error, says so in plain words, and costs little."""

from __future__ import annotations

import re

import pytest

from pipeline.errors import HeadraceError
from tests.hostile import Case, every

CASES = every()


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=ascii(c.name), marks=[pytest.mark.thorough] * c.is_costly) for c in CASES],
)
def test_it_is_refused_by_its_name(case: Case) -> None:
    with pytest.raises(HeadraceError) as refused:
        case.attack()

    assert type(refused.value) is case.error
    assert re.search(case.says, str(refused.value))
    assert len(str(refused.value)) < 20_000


def test_there_are_enough_of_them_and_none_twice() -> None:
    names = [case.name for case in CASES]

    assert len(names) >= 300
    assert sorted(set(names)) == sorted(names)
