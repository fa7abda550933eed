"""Parts of pages: sections, tables and numbers, escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def section(title: str, *parts: str) -> str:
    """A part of a page under a heading; empty parts are left out."""
    return f"<section><h2>{escape(title)}</h2>\n" + "\n".join(part for part in parts if part) + "\n</section>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls by itself where the page is narrow."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f'<div class="wide"><table><thead>{line(head, "th")}</thead>\n<tbody>{body}</tbody></table></div>'


def pairs(known: Mapping[str, str]) -> str:
    """Names and what they stand for."""
    return (
        "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in known.items()) + "</dl>"
    )


def number(value: float | None) -> str:
    """A number for people: three digits after the point, or three that count."""
    return "n/a" if value is None else f"{value:.3g}" if abs(value) < 0.01 else f"{value:,.3f}"


def interval(found: Mapping[str, Any]) -> str:
    """The ends of an interval."""
    if found["low"] is None:
        return "no interval"
    return f"{number(found['low'])} to {number(found['high'])}"


def with_interval(found: Mapping[str, Any]) -> str:
    """A number and its interval, where it has one."""
    return number(found["value"]) + (f" ({interval(found)})" if found["low"] is not None else "")


def words(name: str) -> str:
    """A name of the code in words."""
    return name.replace("_", " ")
