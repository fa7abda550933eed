"""Temporary."""
from dataclasses import dataclass
from pipeline.values.digest import canonical_json, digest_value, parse_json
from pipeline.values.aggregate import Aggregate
@dataclass(frozen=True)
class Encoded:
    codec: str
    digest: str
    data: bytes
    rows: int | None
def encode(value):
    from pipeline.values.table import digest_table, write_table
    import pyarrow as pa
    if isinstance(value, pa.Table):
        return Encoded("table/1", digest_table(value), write_table(value), value.num_rows)
    if isinstance(value, Aggregate):
        return Encoded("aggregate/1", value.digest(), canonical_json(value.state()), None)
    return Encoded("json/1", digest_value(value), canonical_json(value), None)
def decode(codec, data, aggregate=None):
    from pipeline.values.table import read_table
    if codec == "table/1": return read_table(data)
    if codec == "aggregate/1": return aggregate.from_state(parse_json(data))
    return parse_json(data)
