"""Files of the export: written from CSV parts as they come, read back row by row; gzipped CSV, or Parquet (an extra).

CSV has a header, UTF-8, commas, quotes doubled; an empty text stands in quotes, nothing does not; moments are UTC, as
in 2026-03-02 12:00:00+00, a flag is t or f.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from workers.feed.manifest import Unfit, settle
from workers.feed.sheets import Form, Kind

Columns: TypeAlias = Mapping[str, Kind]

#: CSV that is turned into one row group of a Parquet file: what is held in memory at once.
_GROUP: Final = 8 << 20
_BUFFER: Final = 1 << 20
_ARROW: Final[dict[Kind, str]] = {
    "integer": "int64",
    "number": "double",
    "text": "string",
    "day": "date32",
    "flag": "bool",
}
#: What `ledger` keeps of money.
_MONEY: Final = (16, 4)


def write(
    draft: Path, form: Form, columns: Columns, parts: Iterable[bytes | bytearray | memoryview]
) -> None:
    """Write a whole file and see it on the disk.

    parts    CSV rows without a header, each whole within one part
    raises   Unfit where Parquet is asked for and pyarrow is not installed
    """
    with draft.open("wb") as file:
        if form is Form.PARQUET:
            _write_parquet(file, columns, parts)
        else:
            _write_csv(file, columns, parts)
        file.flush()
        settle(file.fileno())


def _write_csv(
    file: IO[bytes], columns: Columns, parts: Iterable[bytes | bytearray | memoryview]
) -> None:
    # Without name and time of the file: the same rows are the same bytes.
    packed = gzip.GzipFile("", "wb", compresslevel=3, fileobj=file, mtime=0)
    with packed, io.BufferedWriter(packed, _BUFFER) as out:
        out.write(",".join(columns).encode() + b"\n")
        for part in parts:
            out.write(part)


def _write_parquet(
    file: IO[bytes], columns: Columns, parts: Iterable[bytes | bytearray | memoryview]
) -> None:
    parquet, schema = _parquet(), _schema(columns)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        group = io.BytesIO()
        for part in parts:
            group.write(part)
            if group.tell() >= _GROUP:
                writer.write_table(_table(group, schema))
                group = io.BytesIO()
        if group.tell():
            writer.write_table(_table(group, schema))


def _table(group: io.BytesIO, schema: Any) -> Any:
    from pyarrow import csv as arrow_csv

    group.seek(0)
    return arrow_csv.read_csv(
        group,
        read_options=arrow_csv.ReadOptions(column_names=schema.names, use_threads=False),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _schema(columns: Columns) -> Any:
    import pyarrow

    return pyarrow.schema([(name, _type(kind)) for name, kind in columns.items()])


def _type(kind: Kind) -> Any:
    import pyarrow

    match kind:
        case "moment":
            return pyarrow.timestamp("us", tz="UTC")
        case "money":
            return pyarrow.decimal128(*_MONEY)
        case _:
            return pyarrow.type_for_alias(_ARROW[kind])


def _parquet() -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise Unfit(
            "Parquet needs pyarrow: pip install 'lockstep[export]', or say --format csv"
        ) from None
    return parquet


def rows(path: Path, form: Form, wanted: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The rows of a file, these columns only; numbers as numbers, nothing as None.

    raises    Unfit for a file that is none of ours
    """
    try:
        if form is Form.PARQUET:
            yield from _rows_of_parquet(path, list(wanted))
        else:
            yield from _rows_of_csv(path, list(wanted))
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise Unfit(f"{path} cannot be read: {error}") from None


def _rows_of_csv(path: Path, wanted: list[str]) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = next(lines)
        places = [(name, header.index(name)) for name in wanted]
        for line in lines:
            yield {name: line[place] or None for name, place in places}


def _rows_of_parquet(path: Path, wanted: list[str]) -> Iterator[dict[str, Any]]:
    with _parquet().ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=8192, columns=wanted):
            lists = [batch.column(name).to_pylist() for name in wanted]
            for line in zip(*lists, strict=True):
                yield dict(zip(wanted, line, strict=True))


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
