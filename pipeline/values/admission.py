"""Applying a contract to a table: what is let in, what goes to quarantine, and when all is refused.

`admit` judges landed rows one by one and conserves them: rows in = accepted + rejected. `validate`
judges a table that a build made, where a single bad row is a bug. Both look for the same faults.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import DataError
from pipeline.values.check import Check
from pipeline.values.contract import QUARANTINE_COLUMNS
from pipeline.values.conversion import arrow_type, convert, leads_to, plain_type, with_article
from pipeline.values.faults import (
    Fault,
    all_but,
    another_day,
    day_faults,
    key_faults,
    key_order,
    value_faults,
)
from pipeline.values.intake import Intake

if TYPE_CHECKING:
    import datetime

    import pyarrow as pa

    from pipeline.values.contract import Column, Contract

SEMANTICS = 1
"""Raised when the same rows would be judged otherwise, here, in `conversion` or in
`faults`: it is part of a source's action key."""
STANDS_ON = ("numpy", "pyarrow")
"""What its answers depend on besides, ours and others'; each enters the keys."""

_UNPARSABLE = "unparsable line"
_EXAMPLES = 3


@dataclass(frozen=True)
class Admitted:
    """A landed table after its contract.

    Attributes:
        table: the accepted rows, typed, sorted by the contract's key (without one: as they came).
        rejected: the quarantine, by line: the contract's columns as text, as they came; `reason`,
            the first rule that the row broke; `line`; and `raw`, the text of a line that could not
            be split into columns (null for the others).
        rows_in: accepted + rejected.
        reasons: how many rows were rejected for each kind of reason; each row counts once.
    """

    table: pa.Table
    rejected: pa.Table
    rows_in: int
    reasons: dict[str, int]


class _Reason(NamedTuple):
    """Why one row is rejected: the *kind* is counted, the *sentence* is for people."""

    kind: str
    sentence: str


def admit(source: Intake | pa.Table, contract: Contract, day: datetime.date | None) -> Admitted:
    """Convert the rows, put those that break a rule into quarantine, and let in the others.

    A row's rules come in this order: can be read; types; for each column null, bounds and allowed
    values; the *day*; the key. Of rows that are equal in every column the first is kept ("duplicate
    row" for the rest). Rows that share a key and differ are all rejected ("duplicate key"), since
    nobody knows which is right. Without a key duplicates are let in.

    Raises:
        DataError: other columns, a type with no way to the declared one, fewer rows than
            `min_rows`, or a larger share rejected than `max_rejected`.
    """
    intake = source if isinstance(source, Intake) else Intake(source)
    raw = _columns_of_contract(intake.table, contract, intake.name)
    _require_rows(intake, contract)
    typed, faults = convert(raw, contract.columns)
    faults += value_faults(typed, raw, contract.columns)
    faults += day_faults(typed, contract, day)
    reasons = _first_reasons(faults)
    order = key_order(typed, list(reasons), contract.key)
    accepted = typed.take(order)
    if repeats := _first_reasons(key_faults(accepted, contract.key)):
        reasons |= {order[row].as_py(): reason for row, reason in repeats.items()}
        accepted = accepted.take(all_but(accepted.num_rows, list(repeats)))
    rejected = _quarantine(intake, raw, reasons)
    kinds = Counter(reason.kind for reason in reasons.values())
    kinds += Counter({_UNPARSABLE: len(intake.unparsable)})
    admitted = Admitted(accepted, rejected, intake.rows, dict(kinds.most_common()))
    _require_few_rejected(admitted, intake.name, contract, day)
    return admitted


def validate(table: pa.Table, contract: Contract, day: datetime.date | None = None) -> None:
    """See that a table which a build made is exactly what its contract promises.

    Column order and types count (int32 is not int64; a dictionary of strings is string), and every
    rule but the number of rows: an empty table can be a right answer.

    Raises:
        DataError: lists all violations, each with its count and an example.
    """
    import pyarrow as pa

    violations = _schema_violations(table, contract)
    sound = [column for column in contract.columns if _has_type(table, column)]
    names = [column.name for column in sound]
    schema = pa.schema([(column.name, arrow_type(column)) for column in sound])
    judged = table.select(names).cast(schema).combine_chunks()
    faults = value_faults(judged, judged, sound)
    if contract.day in names:
        faults += day_faults(judged, contract, day)
    if contract.key and set(contract.key) <= set(names):
        faults += key_faults(judged.take(key_order(judged, [], contract.key)), contract.key)
    violations += [f"{fault.kind} ({len(fault.rows)} rows; {fault.say(fault.rows[0])})" for fault in faults]
    if violations:
        raise DataError(
            f"the table of {table.num_rows} rows breaks its contract; correct what builds it, or "
            "the contract:\n" + "\n".join(f"  {violation}" for violation in violations)
        )


def arrow_schema(contract: Contract) -> pa.Schema:
    """The columns as Arrow types.

    Nullability stays the contract's affair: as a flag of the schema it would be lost in a join and
    make equal tables differ.
    """
    import pyarrow as pa

    return pa.schema([(column.name, arrow_type(column)) for column in contract.columns])


def _columns_of_contract(table: pa.Table, contract: Contract, name: str) -> pa.Table:
    """The *table*'s columns in the contract's order, each of a plain type and in one piece."""
    import pyarrow as pa

    if difference := contract.mismatch(table.column_names):
        raise DataError(f"{name}: columns differ from the contract ({difference})")
    fields = []
    for column in contract.columns:
        found = table.schema.field(column.name).type
        fields.append((column.name, plain_type(found)))
        if not leads_to(found, column.type):
            raise DataError(
                f"{name}: column {column.name!r} is {found}, which can't become "
                f"{with_article(column.type)}; drop the file with that type, or as text"
            )
    return table.select(contract.names).cast(pa.schema(fields)).combine_chunks()


def _first_reasons(faults: list[Fault]) -> dict[int, _Reason]:
    """For each faulty row the first of its faults."""
    reasons: dict[int, _Reason] = {}
    for fault in faults:
        for row in fault.rows:
            if row not in reasons:
                reasons[row] = _Reason(fault.kind, fault.say(row))
    return reasons


def _quarantine(intake: Intake, raw: pa.Table, reasons: dict[int, _Reason]) -> pa.Table:
    """The rejected rows as they came, and why; sorted by line."""
    import pyarrow as pa

    rows = sorted(reasons)
    lines = intake.lines() if rows else []
    notes: list[tuple[str, int, str | None]] = [
        *((reasons[row].sentence, lines[row], None) for row in rows),
        *((line.reason, line.line, line.text) for line in intake.unparsable),
    ]
    values = raw.take(pa.array(rows, pa.int64()))
    nothing = pa.nulls(len(intake.unparsable), pa.string())
    columns = [pa.chunked_array([*c.cast(pa.string()).chunks, nothing]) for c in values.columns]
    for at, kind in enumerate((pa.string(), pa.int64(), pa.string())):
        columns.append(pa.chunked_array([[note[at] for note in notes]], kind))
    table = pa.table(columns, names=[*raw.column_names, *QUARANTINE_COLUMNS])
    return table.sort_by("line").combine_chunks()


def _require_rows(intake: Intake, contract: Contract) -> None:
    size = Check("the number of rows", low=contract.min_rows).apply(intake.rows)
    if size.status != "pass":
        raise DataError(f"{intake.name}: empty or cut off: {size.why}; drop it again whole")


def _require_few_rejected(
    admitted: Admitted, name: str, contract: Contract, day: datetime.date | None
) -> None:
    share = Check("the rejected share", high=contract.max_rejected).apply(
        admitted.rejected.num_rows / max(admitted.rows_in, 1)
    )
    if share.status == "pass":
        return
    _require_day(admitted, name, contract, day)
    counts = ", ".join(f"{count} x {kind}" for kind, count in admitted.reasons.items())
    rows = admitted.rejected.select(QUARANTINE_COLUMNS).slice(0, _EXAMPLES).to_pylist()
    examples = "; ".join(f"line {row['line']}: {row['reason']}" for row in rows)
    raise DataError(
        f"{name}: {admitted.rejected.num_rows} of {admitted.rows_in} rows rejected ({share.why}): "
        f"{counts}. For example {examples}. Correct the file and drop it again"
    )


def _require_day(admitted: Admitted, name: str, contract: Contract, day: datetime.date | None) -> None:
    """Say it plainly when what is wrong with a refused file is its day."""
    if contract.day is None or day is None:
        return
    verdict = another_day(day)
    strangers = admitted.reasons.get(f"{contract.day}: {verdict}", 0)
    if strangers <= contract.max_rejected * admitted.rows_in:
        return
    rows = admitted.rejected.select([contract.day, "reason"]).to_pylist()
    days = Counter(row[contract.day] for row in rows if row["reason"].endswith(verdict))
    found, count = days.most_common(1)[0]
    raise DataError(
        f"{name}: the file holds {found}, expected {day} ({count} of {admitted.rows_in} rows): "
        "dropped under the wrong name?"
    )


def _schema_violations(table: pa.Table, contract: Contract) -> list[str]:
    names = tuple(table.column_names)
    if difference := contract.mismatch(names):
        violations = [f"columns: {difference}"]
    elif names != contract.names:
        violations = [f"columns: in the order {names}, expected {contract.names}"]
    else:
        violations = []
    return violations + [
        f"{column.name}: is {table.schema.field(column.name).type}, expected {arrow_type(column)}"
        for column in contract.columns
        if names.count(column.name) == 1 and not _has_type(table, column)
    ]


def _has_type(table: pa.Table, column: Column) -> bool:
    """Whether the table has the column once, and in its type."""
    from pyarrow import types

    if table.column_names.count(column.name) != 1:
        return False
    found = table.schema.field(column.name).type
    # A dictionary is only another way to hold the same texts.
    if column.type == "string" and types.is_dictionary(found):
        found = found.value_type
    return bool(found == arrow_type(column))
