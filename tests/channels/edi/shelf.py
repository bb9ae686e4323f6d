"""The documents on the shelf, and small ones built for a point."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

from hypothesis import HealthCheck, settings

from channels.edi import compose, envelope
from channels.edi.compose import Numbers, Route
from channels.edi.envelope import Parsed
from channels.edi.findings import Finding
from channels.edi.segments import Segment
from channels.edi.validate import validate

DOCUMENTS = Path(__file__).parent / "documents"
SHARED = Path(__file__).parents[4] / "shared" / "data" / "channels" / "x12"
AT = datetime(2026, 11, 23, 9, 5)  # noqa: DTZ001 (X12 knows no zones)
ROUTE = Route(sender="LOCKSTEP", receiver="RETAILER", receiver_qualifier="12")

#: How fast a busy machine draws examples says nothing about the codec.
CALMLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

HEAD = "ISA*00*          *00*          *ZZ*RETAILER       *ZZ*LOCKSTEP       *261123*0905*U*00401*000000055*0*P*>~"


def on_the_shelf() -> list[Path]:
    """Every document that may be kept beside the tests."""
    return sorted(path for path in DOCUMENTS.iterdir() if "__" in path.name)


def index(folder: Path) -> dict[str, dict[str, str]]:
    """INDEX.tsv by file name."""
    with (folder / "INDEX.tsv").open(encoding="utf-8") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["file"]: dict(row) for row in rows}


def text_of(*body: str, set_id: str = "850", group: str = "PO", version: str = "004010") -> str:
    """One interchange around a set given as segments without terminator; the envelope is faultless."""
    segments = [
        f"GS*{group}*RETAILER*LOCKSTEP*20261123*0905*55*X*{version}",
        f"ST*{set_id}*0001",
        *body,
        f"SE*{len(body) + 2}*0001",
        "GE*1*55",
        "IEA*1*000000055",
    ]
    return HEAD + "".join(f"{segment}~" for segment in segments)


def parsed(*body: str, set_id: str = "850", group: str = "PO", version: str = "004010") -> Parsed:
    """That interchange, read."""
    return envelope.parse(
        text_of(*body, set_id=set_id, group=group, version=version).encode("latin-1")
    )


def found(
    *body: str, set_id: str = "850", group: str = "PO", version: str = "004010"
) -> list[Finding]:
    """Findings on that interchange."""
    return list(validate(parsed(*body, set_id=set_id, group=group, version=version)))


def codes(data: str | bytes) -> list[str]:
    """Codes of the findings on some text, in their order."""
    raw = data.encode("latin-1") if isinstance(data, str) else data
    return [finding.code for finding in validate(envelope.parse(raw))]


def enclosed(set_id: str, body: list[Segment], route: Route = ROUTE) -> bytes:
    """A written set in an envelope, as bytes."""
    return envelope.write(compose.enclose(route, Numbers(7, 7), AT, [(set_id, body)]))
