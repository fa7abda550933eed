"""The normal form of source: one for one meaning, the same under each Python."""

from __future__ import annotations

import pytest

from pipeline.code import syntax

EVERYTHING = '''
"""Module."""
import os.path as p
from . import q

@p.cache
async def f(a, /, b: "int" = 1, *c, d=None, **e) -> None:
    """Function."""
    x = {**a, b: [1.5, True, "é", b"z", 2j, ...]}
    async for i in x:
        yield f"{i!r:>{b}} {b=}"
    try:
        del x[1:2, ...]
    except* (OSError, ValueError) as error:
        raise SystemExit from error
    match b:
        case {"k": [1, *rest], **other} | None if rest:
            pass
        case q.Name(v=0) as named:
            return
    return (lambda y, *z: (y := -z[0]))(*c, **e)

class C(q.D, metaclass=M):
    """Class."""
'''


def test_the_normal_form_is_fixed() -> None:
    """Changing it rebuilds every store: raise the number in `syntax._FORMAT`, and say so."""
    assert syntax.digest(syntax.parse(EVERYTHING).body) == (
        "5e85015d7402ed3b86592b351dd0c873b0b8774a5b613187eb0e286a8bf7481d"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("class A: 'doc'", "class A: pass"),
        ("def f():\n 'doc'\n return 1", "def f(): return 1"),
        ("x = 'a' 'b'", "x = ('ab')"),
        ("x = 0x10", "x = 16"),
        ("async def f(): 'doc'", "async def f():\n  '''other'''"),
    ],
)
def test_the_same_meaning_has_one_form(one: str, other: str) -> None:
    assert syntax.digest(syntax.parse(one).body) == syntax.digest(syntax.parse(other).body)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = 'a'", "x = b'a'"),
        ("x = 0.0", "x = -0.0"),
        ("x = {**a, k: b}", "x = {k: a, **b}"),
        ("def f(*, a=None, b): 1", "def f(*, a, b=None): 1"),
        ("f('a', 'b')", "f('ab')"),
        ("f([a], b)", "f([a, b])"),
        ("a.b", "a['b']"),
        ("if a:\n b\nc", "if a:\n b\n c"),
        ("for x in y: pass\nelse: z", "for x in y: z"),
    ],
)
def test_another_meaning_has_another_form(one: str, other: str) -> None:
    assert syntax.digest(syntax.parse(one).body) != syntax.digest(syntax.parse(other).body)


def test_a_sum_of_a_thousand_terms_has_a_form() -> None:
    assert syntax.digest(syntax.parse("x = " + " + ".join("y" * 2000)).body)
