"""A partner with a held clock, and a merchant that answers it with the house's own codec."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from channels.edi import acknowledge, compose, envelope, reading, writing
from channels.edi.acknowledgements import FunctionalAck
from channels.edi.checkdigits import sscc
from channels.edi.compose import Numbers, Route
from channels.edi.documents import (
    AnswerLine,
    Availability,
    AvailabilityLine,
    ChangeAnswer,
    Dated,
    Document,
    LineAnswer,
    OrderAnswer,
    OrderChange,
    Pack,
    Party,
    ProductId,
    PurchaseOrder,
    ShipNotice,
    ShippedItem,
    ShippedOrder,
    Stocked,
)
from channels.edi.validate import validate
from channels.simulators.clock import Clock
from channels.simulators.edi import EdiSimulator
from channels.simulators.edi.control import Control

START = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)
DAY = date(2026, 8, 20)


class Market:
    """The partner NORTHMART with the items S-1 and S-2, the centre 0100 and the stores 0201 and 0202."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.clock = Clock.held(START)
        self.simulator = EdiSimulator(self.clock, root, **options)
        self.control = Control(self.simulator)
        self.root = root
        self.numbers = itertools.count(1)
        for sku in ("S-1", "S-2"):
            self.do("item", sku=sku)
        for code in ("0100", "0201", "0202"):
            self.do("store", code=code)

    def close(self) -> None:
        self.simulator.stop()
        assert self.simulator.agenda.failures == []

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the control plane, in-process."""
        return self.control.verbs()[verb](facts)

    # -- the merchant's side ------------------------------------------------------------------------------------------

    def inbox(self) -> list[str]:
        """File names as they lie in the merchant's inbound."""
        return sorted(path.name for path in (self.root / "inbound").glob("[!.]*"))

    def files(self) -> list[bytes]:
        """What lies in inbound, in order; it is gone afterwards."""
        found = []
        for name in self.inbox():
            path = self.root / "inbound" / name
            found.append(path.read_bytes())
            path.unlink()
        return found

    def documents(self) -> list[Document]:
        """What lies in inbound, read by the house's codec, which must find nothing wrong; gone afterwards."""
        found: list[Document] = []
        for data in self.files():
            parsed = envelope.parse(data)
            assert [finding.code for finding in validate(parsed)] == []
            found += [reading.read(each) for _, _, each in parsed.transactions]
        return found

    def ordered(self, units: int = 10, **facts: Any) -> PurchaseOrder:
        """The partner orders S-1; as the merchant reads it."""
        lines = facts.pop("lines", [{"sku": "S-1", "units": units}])
        self.do("purchase_order", lines=lines, **facts)
        (order,) = self.documents()
        assert isinstance(order, PurchaseOrder)
        return order

    def route(self) -> Route:
        return Route("LOCKSTEP", "NORTHMART")

    def post(self, document: writing.Writable, **changed: Any) -> None:
        """The merchant sends a document, and the partner looks into the mailbox."""
        number = next(self.numbers)
        body = [writing.write(document)]
        made = compose.enclose(self.route(), Numbers(number, number), self.clock.now(), body)
        data = envelope.write(made)
        for old, new in changed.pop("put", {}).items():
            assert old.encode() in data
            data = data.replace(old.encode(), new.encode())
        self.post_bytes(data, **changed)

    def post_bytes(self, data: bytes, name: str = "") -> None:
        name = name or f"{next(self.numbers)}.edi"
        # A clock moved forward wakes the partner's own look into the mailbox, which would take the file from under us.
        with self.simulator.partner.lock:
            (self.root / "outbound" / name).write_bytes(data)
            assert self.do("collect")["taken"] == [name]

    def acknowledge(self) -> None:
        """A 997 for everything in the merchant's inbound, which is gone afterwards."""
        for data in self.files():
            parsed = envelope.parse(data)
            findings = validate(parsed)
            for interchange in parsed.interchanges:
                for group in interchange.groups:
                    if group.kind != "FA":
                        self.post(acknowledge.functional(group, findings))

    def complaints(self, severity: str | None = None) -> list[str]:
        facts = {} if severity is None else {"severity": severity}
        return [one["text"] for one in self.do("complaints", **facts)["complaints"]]

    def verdicts(self) -> list[tuple[str, str]]:
        """(group, AK901) of the 997s in the merchant's inbound."""
        acks = self.documents()
        return [(ack.kind, ack.status) for ack in acks if isinstance(ack, FunctionalAck)]


def answer_to(
    order: PurchaseOrder, said: Sequence[Mapping[str, int]], kind: str = "AD", **more: Any
) -> OrderAnswer:
    """An 855: for each line, units by ACK01."""
    lines = tuple(
        AnswerLine(line, tuple(_ack(code, units) for code, units in codes.items()))
        for line, codes in zip(order.lines, said, strict=True)
    )
    return OrderAnswer(order.number, order.day, kind, lines, answered=DAY, **more)


def answer_to_change(
    change: OrderChange, said: Sequence[Mapping[str, int]], kind: str = "AD"
) -> ChangeAnswer:
    """An 865: for each line, units by ACK01."""
    lines = tuple(
        replace(line, answers=tuple(_ack(code, units) for code, units in codes.items()))
        for line, codes in zip(change.lines, said, strict=True)
    )
    return ChangeAnswer(change.number, change.day, kind, lines, sequence=change.sequence)


def _ack(code: str, units: int) -> LineAnswer:
    return LineAnswer(code, Decimal(units), "EA")


def carton(serial: int, units: int, products: tuple[ProductId, ...]) -> Pack:
    item = ShippedItem(Decimal(units), "EA", "1", products)
    return Pack("P", sscc("1", f"0614141{serial:09d}"), contents=(item,))


def notice_of(
    order: PurchaseOrder, *cartons: Pack, id: str = "SH-1", store: str = ""
) -> ShipNotice:
    """An 856 in cartons, pick and pack."""
    parties = (Party("Z7", code_qualifier="92", code=store),) if store else ()
    inner = ShippedOrder(order.number, order.day, parties=parties, contents=cartons)
    return ShipNotice(
        id, DAY, "1405", (inner,), structure="0001", dates=(Dated("011", DAY),),
        parties=(Party("ST", code_qualifier="92", code="0100"),),
    )  # fmt: skip


def shown(reference: str, products: tuple[ProductId, ...], units: int, **more: Any) -> Availability:
    """An 846 about one item."""
    line = AvailabilityLine(products, (Stocked("33", Decimal(units), "EA"),))
    return Availability(reference, DAY, (line,), **more)


def promised(market: Market, units: int = 10, **facts: Any) -> PurchaseOrder:
    """An order that was accepted as it is."""
    order = market.ordered(units, **facts)
    accepted = [{"IA": int(line.quantity or 0)} for line in order.lines]
    market.post(answer_to(order, accepted))
    market.acknowledge()
    assert market.complaints() == []
    return order


def state_of(market: Market, order: PurchaseOrder) -> Any:
    return market.do("state", order=order.number)["orders"][order.number]
