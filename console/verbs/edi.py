"""What people do to wholesale documents: ship notices, repeats under new control numbers, work again, off the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Engine

from channels.edi import shipping
from channels.edi.outbox import NotToDismiss, NotToResend
from channels.edi.partner import BadPartner
from channels.edi.segments import Unwritable
from channels.edi.shipping import Consignment, LineKey, NotToNotice
from console.access.types import Refusal
from workers.flows import edi_ship, edi_work
from workers.flows.edi_work import NotToRetry
from workers.flows.ingest import House

_REFUSALS: Final = (NotToNotice, NotToResend, NotToDismiss, NotToRetry, BadPartner, Unwritable)


@dataclass(frozen=True, slots=True)
class Notice:
    """A ship notice as somebody asks for it.

    lines      (line, store) -> units that are believed to have gone; None: what the ledger says
    cartons    CSV: carton,line,quantity[,store,tracking,pallet];  weight   gross, in pounds
    """

    partner: str
    number: str
    release: str
    lines: Mapping[LineKey, int] | None
    cartons: str
    carrier: str
    bill: str
    tracking: str
    weight: Decimal | None


def ship(engine: Engine, said: Notice, *, now: datetime) -> dict[str, Any]:
    """Tell a partner what the ledger shipped of an order and no notice has told. Raises Refusal."""
    with _refusals():
        packed = shipping.read_packing(said.cartons) if said.cartons else []
        noticed = edi_ship.ship(
            engine,
            said.partner,
            said.number,
            release=said.release,
            lines=said.lines,
            packed=packed,
            consignment=Consignment(said.carrier, said.bill, said.tracking, said.weight),
            now=now,
        )
    return asdict(noticed)


def resend(engine: Engine, document: int, *, now: datetime) -> dict[str, Any]:
    """Send a document of ours again, under new control numbers. Raises Refusal."""
    with _refusals():
        return {"document": document, "made": edi_ship.resend(engine, document, now=now)}


def retry(house: House, document: int, *, now: datetime) -> dict[str, Any]:
    """Work a partner's document again that waits for a person. Raises Refusal."""
    with _refusals():
        return {"document": document, "came_to": edi_work.retry(house, document, now=now)}


def dismiss(
    engine: Engine, document: int, *, by: str, reason: str, now: datetime
) -> dict[str, Any]:
    """Take a document off the list of those that need somebody. Raises Refusal."""
    with _refusals():
        edi_ship.dismiss(engine, document, by=by, reason=reason, now=now)
    return {"document": document, "dismissed": True}


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except _REFUSALS as error:
        raise Refusal(str(error)) from None
