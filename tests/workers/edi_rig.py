"""A grocer that orders by EDI: its folder, the documents it drops there, and what it finds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from allocation import store
from allocation.document import read
from channels.edi import compose, envelope, reading, validate
from channels.edi.compose import Numbers, Route
from channels.edi.documents import Document
from channels.edi.exchange import FolderExchange, make_folders
from channels.edi.partner import Partner
from channels.edi.segments import Segment, segment
from channels.registry import LANES
from ledger.context import Catalogue
from ledger.db import transaction
from tests.builders import book, may_write
from tests.servers import Clock
from workers.flows import edi_desk
from workers.flows.edi_exchange import Visit, visit
from workers.flows.edi_work import Worked, work
from workers.flows.ingest import House

PARTNER = "grocer"
ROUTE = Route("GROCER", "LOCKSTEP", sender_qualifier="12", receiver_qualifier="ZZ")
RULES = """\
[locations.WH]
[channels.grocer]
kind = "edi"
base_url = "file://{path}"
locations = ["WH"]
vendor_locations = {{ "DC1" = "WH" }}
[channels.grocer.options]
our_id = "ZZ:LOCKSTEP"
partner_id = "12:GROCER"
lead_days = "10"
{options}
"""


@dataclass
class Grocer:
    """The partner and the house, with one folder between them."""

    engine: Engine
    clock: Clock
    path: Path
    control: int = 0
    seen: set[str] = field(default_factory=set)

    @property
    def box(self) -> FolderExchange:
        return FolderExchange(self.path, quiet_s=0)

    @property
    def house(self) -> House:
        return House(self.engine, LANES, Catalogue(), os.urandom)

    @property
    def partner(self) -> Partner:
        with transaction(self.engine) as connection:
            return edi_desk.partner(connection, PARTNER)

    def send(
        self,
        *sets: tuple[str, Sequence[Segment]],
        control: int | None = None,
        route: Route = ROUTE,
    ) -> bytes:
        """Drop one interchange into the folder."""
        self.control += 1
        number = control or self.control
        made = compose.enclose(route, Numbers(number, number), self.clock.now, sets)
        data = envelope.write(made)
        self.drop(data)
        return data

    def drop(self, data: bytes, name: str = "") -> None:
        """Drop bytes into the folder."""
        count = len(list((self.path / "inbound").iterdir()))
        (self.path / "inbound" / (name or f"{self.control:06}-{count}.x12")).write_bytes(data)

    def visit(self) -> Visit:
        return visit(self.engine, self.partner, self.box, now=lambda: self.clock.now)

    def work(self) -> list[Worked]:
        return work(self.house, now=self.clock.now)

    def run(self) -> list[Document]:
        """Take, work, send; what the grocer finds that is new."""
        self.visit()
        self.work()
        self.visit()
        return self.found()

    def files(self) -> list[Path]:
        return sorted((self.path / "outbound").iterdir(), key=lambda path: path.name[-13:])

    def found(self) -> list[Document]:
        """Documents in the folder that were not looked at before; each must be faultless X12."""
        documents = []
        for file in self.files():
            if file.name in self.seen:
                continue
            self.seen.add(file.name)
            parsed = envelope.parse(file.read_bytes())
            assert not [finding for finding in validate.validate(parsed) if finding.is_error]
            documents += [reading.read(each) for _, _, each in parsed.transactions]
        return documents

    def acknowledge(self, *, status: str = "A") -> None:
        """Answer every group in the folder that was not looked at before with a 997."""
        for file in self.files():
            if file.name in self.seen:
                continue
            self.seen.add(file.name)
            for interchange in envelope.parse(file.read_bytes()).interchanges:
                for group in interchange.groups:
                    if group.kind != "FA":
                        self.send(("997", acknowledgement(group.kind, group.control, status)))

    def stock(self, **units: int) -> None:
        """Receive units of SKUs."""
        for sku, count in units.items():
            book(
                self.engine,
                {
                    "kind": "receipt",
                    "source": "wms",
                    "id": f"in:{sku}:{self.clock.now.isoformat()}:{count}",
                    "occurred_at": self.clock.now.isoformat(),
                    "sku": sku,
                    "location": "WH",
                    "units": count,
                },
                now=self.clock.now,
            )

    def ship(self, order: str, line: str, units: int, number: int = 1) -> None:
        """Tell the ledger that units of an order line have gone."""
        book(
            self.engine,
            {
                "kind": "ship",
                "source": "wms",
                "id": f"out:{order}:{line}:{number}",
                "occurred_at": self.clock.now.isoformat(),
                "channel": PARTNER,
                "order": order,
                "line": line,
                "units": units,
            },
            now=self.clock.now,
        )

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def documents(self, direction: str = "in") -> list[tuple[Any, ...]]:
        """(set, state, acknowledgement) of each document, in order."""
        return self.rows(
            "SELECT set_id, state, ack_state FROM edi_document WHERE direction = :direction ORDER BY id",
            direction=direction,
        )

    def lines(self, number: str = "PO1") -> list[tuple[Any, ...]]:
        """(line, ordered, accepted, backordered, rejected)."""
        return self.rows(
            "SELECT line, ordered, accepted, backordered, rejected FROM edi_line WHERE number = :number"
            " ORDER BY place, line, store",
            number=number,
        )


def a_grocer(engine: Engine, clock: Clock, path: Path, **options: str) -> Grocer:
    """A house with MUG (sold as item 11), TEE (item 22) and one wholesale partner; nothing is in stock."""
    options.setdefault("promise", "available")
    make_folders(path)
    said = "\n".join(f'{name} = "{value}"' for name, value in options.items())
    rules = RULES.format(path=path, options=said)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO sku (sku) VALUES ('MUG'), ('TEE')"))
        store.apply_rules(connection, rules, read(rules), "ann", "test", clock.now)
        may_write(connection)
        connection.execute(
            text("""
                INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id)
                VALUES ('grocer', 'MUG', 'WH', '11', 'DC1', '11'), ('grocer', 'TEE', 'WH', '22', 'DC1', '22')
            """)
        )
    return Grocer(engine, clock, path)


def po(
    *lines: Segment,
    number: str = "PO1",
    purpose: str = "00",
    kind: str = "SA",
    release: str = "",
) -> tuple[str, list[Segment]]:
    """An 850."""
    head = segment("BEG", purpose, kind, number, release, "20260302")
    count = sum(each.id == "PO1" for each in lines)
    return "850", [head, *lines, segment("CTT", str(count))]


def line(number: int, quantity: str | int, item: str = "11", measure: str = "EA") -> Segment:
    """A PO1."""
    return segment("PO1", str(number), str(quantity), measure, "9.5", "", "SK", item)


def change(
    *lines: Segment, number: str = "PO1", sequence: str = "", purpose: str = "04"
) -> tuple[str, list[Segment]]:
    """An 860."""
    head = segment("BCH", purpose, "SA", number, "", sequence, "20260302")
    return "860", [head, *lines, segment("CTT", str(len(lines)))]


def changed(
    number: int, code: str, quantity: str | int, item: str = "11", left: str = "0"
) -> Segment:
    """A POC."""
    return segment("POC", str(number), code, str(quantity), left, "EA", "9.5", "", "SK", item)


def acknowledgement(kind: str, control: str, status: str = "A") -> list[Segment]:
    """A 997 about a whole group."""
    accepted = "0" if status == "R" else "1"
    return [segment("AK1", kind, control), segment("AK9", status, "1", "1", accepted)]
