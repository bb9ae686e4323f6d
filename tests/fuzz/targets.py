"""Every reader of what comes from outside, as something that bytes can be given to.

A reader takes any bytes, or says what is wrong with them in an error of its own; whatever else is raised is a finding.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

from starlette.exceptions import HTTPException

from allocation import document
from allocation.simulate import recorded
from allocation.simulate.types import Unusable
from channels import listings
from channels.amazon import health, movements, sizes, stranded
from channels.base import Unreadable
from channels.edi.shipping import NotToNotice, read_packing
from channels.names import Names, Part, Unmapped
from channels.registry import LANES
from console.access.types import Unfit
from console.api.sessions import Sessions
from console.posted import deliveries_of as events_of
from console.verbs import counts
from console.views.listing import BadCursor, read_cursor
from reconcile.counting import file as sheets
from tests.builders import a_fact
from tests.channels.edi.shelf import HEAD, on_the_shelf
from tests.channels.edi.test_fuzz import whatever_comes
from tests.doors.examples import Example, ours
from tests.fuzz.shaping import damaged, strange, table, twisted
from workers.flows import history

EXAMPLE: Final = (Path(__file__).parents[2] / "lockstep.example.toml").read_bytes()
NOW: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
KINDS: Final = (
    "receipt", "order", "order_cancel", "ship", "return", "count", "adjustment", "write_off", "transfer_ship",
    "reversal",
    "reservation", "expected",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """A reader.

    make     a case from chance;  take   what is asked of it, raises on a finding
    share    of all cases, beside the others'
    """

    name: str
    make: Callable[[Random], bytes]
    take: Callable[[bytes], None]
    share: int


@cache
def examples(kind: str) -> list[Example]:
    return [each for each in ours() if each.kind == kind]


@cache
def _read(kind: str) -> list[Any]:
    return [json.loads(each.body) for each in examples(kind)]


def a_body(kind: str) -> Callable[[Random], bytes]:
    """A vendor's body, spoilt; its first line is the topic, which for some stands in a header."""

    def make(random: Random) -> bytes:
        number = random.randrange(len(examples(kind)))
        topic = examples(kind)[number].topic
        if random.random() < 0.1:
            topic = random.choice(sorted(LANES[kind].topics))
        return topic.encode() + b"\n" + twisted(random, copy.deepcopy(_read(kind)[number]))

    return make


def originals(name: str) -> list[bytes]:
    """What a target's cases are made from, unspoilt; none for tables, of which each case holds the most part."""
    kind = name.removeprefix("webhook-")
    match name:
        case "x12":
            return _documents()
        case "rules":
            return [EXAMPLE]
        case "cookie":
            return [_COOKIE]
        case _ if kind != name:
            return [each.topic.encode() + b"\n" + each.body for each in examples(kind)]
    return []


class Everything(dict[str, Any]):
    """Names for whatever is asked."""

    def __missing__(self, name: str) -> str:
        return f"SKU {name}"[:100]


class Packs(dict[str, tuple[Part, ...]]):
    """No pack, and no bundle."""


def a_reader(kind: str) -> Callable[[bytes], None]:
    """All that is asked of a body before the database: what it is, what it says, what is to be booked."""
    lane = LANES[kind]
    names = Names(skus=Everything(), locations=Everything(), default_location="WH", taken=Packs())

    def take(data: bytes) -> None:
        topic, _, body = data.partition(b"\n")
        said = topic.decode("latin-1")
        headers = {"X-Shopify-Topic": said, "X-Pipe-Message-Id": "1"}
        with suppress(Unreadable):
            routed = lane.routing(headers, body)
            message = lane.read(routed.topic or said, body)
            with suppress(Unmapped):
                message.facts(source="s", channel="c", names=names)

    return take


def an_event(random: Random) -> bytes:
    """Canonical events, spoilt."""
    facts = [a_fact(random.choice(KINDS), id=f"f{n}", units=1) for n in range(random.randint(1, 3))]
    return twisted(random, facts if random.random() < 0.7 else facts[0])


def take_events(data: bytes) -> None:
    status = 200
    try:
        events_of(data)
    except HTTPException as refused:
        status = refused.status_code
    assert status < 500


@cache
def _documents() -> list[bytes]:
    return [data for path in on_the_shelf() if len(data := path.read_bytes()) < 20_000]


def an_interchange(random: Random) -> bytes:
    """A public document spoilt, or words of X12 behind a good header."""
    if random.random() < 0.7:
        return damaged(random, random.choice(_documents()))
    words = [random.choice(("ISA", "GS", "ST", "SE", "GE", "IEA", "HL", "PO1", "N1", "*", "~", "850", "1", "S", "é"))
             for _ in range(random.randint(1, 400))]  # fmt: skip
    return HEAD.encode() + "".join(words).encode("latin-1")


def rules(random: Random) -> bytes:
    """The example of the rule file, spoilt."""
    if random.random() < 0.6:
        return damaged(random, EXAMPLE)
    lines = EXAMPLE.decode().splitlines()
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(lines))
        key = lines[at].split("=")[0]
        lines[at] = f"{key}= {json.dumps(strange(random), default=str)}"
        lines.insert(random.randrange(len(lines)), random.choice(lines))
    return "\n".join(lines).encode("utf-8", "replace")


def take_rules(data: bytes) -> None:
    source = data.decode("utf-8", "replace")
    with suppress(document.RuleFileError):
        found = document.read(source, "f")
        found.rules()
        document.remarks(source, found, "f", NOW)
    with suppress(document.RuleFileError):
        document.read_stored(source, "f")


def a_file(
    columns: Sequence[str], *rows: Sequence[str], mark: str = ","
) -> Callable[[Random], bytes]:
    return lambda random: table(random, columns, rows, mark)


def take_text(read: Callable[[str], object], *refusals: type[Exception]) -> Callable[[bytes], None]:
    """For a reader of text, whose door decodes it and refuses what is none."""

    def take(data: bytes) -> None:
        with suppress(UnicodeDecodeError, *refusals):
            read(data.decode("utf-8-sig"))

    return take


def take_report(read: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def take(data: bytes) -> None:
        with suppress(Unreadable):
            read(data)

    return take


def take_history(data: bytes) -> None:
    """A file of past months, as the import and as the simulation reads it."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as kept:
        kept.write(data)
        kept.flush()
        with suppress(history.UnusableFile, Unusable):
            rows = list(history.read_rows(Path(kept.name), history.EVENT_COLUMNS))
            for fact in history.facts_of(rows, source="history:x", zone=UTC):
                json.dumps(fact)
            list(recorded.rows_of(rows, "f"))


_SESSIONS: Final = Sessions(b"k" * 32)
_COOKIE: Final = _SESSIONS.open(1, NOW, "n").encode()


def take_cookie(data: bytes) -> None:
    said = data.decode("latin-1")
    assert _SESSIONS.read(said, NOW) is None
    with suppress(BadCursor):
        read_cursor(said, ("bigint", "timestamptz", "uuid", "text"))


_HISTORY: Final = a_file(
    (
        *history.EVENT_COLUMNS,
        "channel",
        "order_id",
        "ref",
        "unit_price",
        "reason_code",
        "reason_text",
    ),
    ("e1", "2026-01-05T10:00:00", "order", "WH", "MUG", "-2", "shop", "o1", "", "4.20", "", ""),
    ("e2", "2026-01-06T10:00:00", "order_cancel", "WH", "MUG", "1", "shop", "o1", "e1", "", "", ""),
    ("e3", "2026-01-07T10:00:00", "transfer_ship", "WH", "MUG", "-3", "", "", "T-1", "", "", ""),
    ("e4", "2026-03-29T02:30:00", "count", "WH", "MUG", "5", "", "", "", "", "lost", "gone"),
)
_LEDGER: Final = a_file(
    ("Date and Time", "Date", "FNSKU", "ASIN", "MSKU", "Title", "Event Type", "Reference ID", "Quantity",
     "Fulfillment Center", "Disposition", "Reason", "Country", "Reconciled Quantity", "Unreconciled Quantity"),
    ("2026-02-01T01:02:03Z", "02/01/2026", "X1", "B1", "MUG", "Mug", "Shipments", "S1", "-1", "FRA1", "SELLABLE", "",
     "DE", "0", "0"),
    ("", "02/02/2026", "X1", "B1", "MUG", "Mug", "Receipts", "F1", "1,000", "FRA1", "SELLABLE", "E", "DE", "0", "0"),
    mark="\t",
)  # fmt: skip
_HEALTH: Final = a_file(
    (
        "snapshot-date",
        "sku",
        "available",
        "units-shipped-t30",
        "days-of-supply",
        "inv-age-181-to-270-days",
    ),
    ("2026-02-01", "MUG", "5", "30", "12.5", "1"),
    ("02/01/2026", "TEA", "", "1,000", "", ""),
    mark="\t",
)
_STRANDED: Final = a_file(
    (
        "primary-action",
        "date-stranded",
        "Date-to-take-auto-removal",
        "stranded-reason",
        "sku",
        "fulfillable-qty",
    ),
    ("Fix listing", "2026-02-01", "2026-03-01", "Listing closed", "MUG", "5"),
    ("", "", "", "", "TEA", "1,000"),
    mark="\t",
)
_SIZES: Final = a_file(
    (
        "sku",
        "longest-side",
        "median-side",
        "shortest-side",
        "unit-of-dimension",
        "product-size-tier",
    ),
    ("MUG", "10.5", "4", "3,5", "inches", "Large-Standard-Size"),
    ("TEA", "20", "10", "1e3", "centimeters", ""),
    mark="\t",
)
_COUNTS: Final = a_file(
    sheets.COLUMNS,
    ("MUG", "Mug", "WH", "5", "lost", "gone", "2026-03-01T10:00:00Z", "due"),
    ("TEA", "Tea", "WH", "", "", "", "", ""),
)

TARGETS: Final[Sequence[Target]] = (
    *(Target(f"webhook-{kind}", a_body(kind), a_reader(kind), 12) for kind in ("shopify", "amazon", "square")),
    Target("events", an_event, take_events, 10),
    Target("x12", an_interchange, whatever_comes, 16),
    Target("rules", rules, take_rules, 8),
    Target("mapping", a_file(("listing", "sku", "units", "uom"), ("L1", "MUG", "2", "EA"), ("L2", "TEA", "", "DZ")),
           take_text(listings.read), 4),
    Target("counts", _COUNTS, take_text(sheets.read), 4),
    Target("worth", a_file(("sku", "cost", "price"), ("MUG", "4.20", "9"), ("TEA", "", "1,5")),
           take_text(counts.worths, Unfit), 3),
    Target("packing", a_file(("carton", "line", "quantity", "store", "tracking", "pallet"),
                             ("C1", "1", "5", "", "1Z", ""), ("C2", "2", "1", "12", "", "P")),
           take_text(read_packing, NotToNotice), 3),
    Target("history", _HISTORY, take_history, 6),
    Target("fba-ledger", _LEDGER, take_report(movements.read), 5),
    Target("fba-health", _HEALTH, take_report(health.planning), 3),
    Target("fba-stranded", _STRANDED, take_report(stranded.read), 2),
    Target("fba-sizes", _SIZES, take_report(sizes.read), 2),
    Target("cookie", lambda random: damaged(random, _COOKIE), take_cookie, 2),
)  # fmt: skip
