"""Routes that tell the book something, and order or submit counts."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from console.api.acts import does
from console.api.answers import PROBLEMS, told
from console.api.problems import Problem
from console.api.state import TheAct
from console.api.words import CountSheet
from console.api.words_acts import (
    Adjust,
    CountOrder,
    EmptyShelf,
    Expect,
    LocationsAdd,
    Owner,
    Resync,
    Reverse,
    SkusAdd,
    Worths,
)
from console.verbs import book, counts, resync, work
from reconcile.counting.file import REASONS, read
from workers.flows.count_sheets import name_of

router = APIRouter(responses=PROBLEMS)


@does("stock.adjust", "/stock/adjust", "stock", router)
def adjust(act: TheAct, body: Adjust) -> Response:
    """Add units that were found at a location, or take away what is gone."""
    with act.doing(body.arguments(), body.reason):
        done = book.adjust(
            act.house.wiring.house, body.id, body.sku, body.location, body.units, by=act.by,
            reason=body.reason, now=act.now(),
        )  # fmt: skip
    return told(done)


@does("stock.reverse", "/stock/reverse", "stock", router)
def reverse(act: TheAct, body: Reverse) -> Response:
    """Undo one event, once only, by an event that names it."""
    with act.doing(body.arguments(), body.reason):
        done = book.reverse(
            act.house.wiring.house, body.source, body.event_id, by=act.by, reason=body.reason,
            now=act.now(),
        )  # fmt: skip
    return told(done)


@does("sku.resync", "/skus/resync", "stock", router)
def again(act: TheAct, body: Resync) -> Response:
    """Compute a SKU anew and send its numbers again, though nothing seems to differ."""
    with act.doing(body.arguments(), body.reason):
        channels = resync.resync(
            act.engine, body.sku, body.channel, by=act.by, reason=body.reason, now=act.now()
        )
    return told({"sku": body.sku, "channels": channels})


@does("catalogue.add-sku", "/catalogue/skus", "stock", router)
def add_skus(act: TheAct, body: SkusAdd) -> Response:
    """Make SKUs known."""
    with act.doing(body.arguments()):
        done = book.add_skus(act.house.wiring.house, body.skus, body.title)
    return told(done)


@does("catalogue.add-location", "/catalogue/locations", "stock", router)
def add_locations(act: TheAct, body: LocationsAdd) -> Response:
    """Make locations known."""
    with act.doing(body.arguments()):
        done = book.add_locations(act.house.wiring.house, body.locations, body.kind)
    return told(done)


@does("supply.expect", "/supply", "supply", router)
def expect(act: TheAct, body: Expect) -> Response:
    """Say how a line of a purchase order or transfer stands now; what was said of it before holds no longer."""
    line = book.Line(
        body.id, body.sku, body.location, body.units, body.due.isoformat(), body.reference
    )
    with act.doing(body.arguments()):
        done = book.expect(act.house.wiring.house, line, by=act.by, now=act.now())
    return told(done)


@does("pickup.failed", "/pickup/failed", "counts", router)
def shelf_was_empty(act: TheAct, body: EmptyShelf) -> Response:
    """A unit was to be picked and the shelf was empty: that is a count of nothing, and books as one."""
    with act.doing(body.arguments()):
        done = book.shelf_was_empty(
            act.house.wiring.house, act.house.settings, body.id, body.sku, body.location,
            body.set_aside, by=act.by, now=act.now(),
        )  # fmt: skip
    return told(done)


@does("count.submit", "/counts", "counts", router)
def submit(act: TheAct, body: CountSheet) -> Response:
    """Book a filled sheet, whole or not at all, as of its minute. The same sheet twice is one count."""
    if body.reason_code and body.reason_code not in REASONS:
        raise Problem(
            422, f"no reason {body.reason_code!r}", which="reason_code", next=", ".join(REASONS)
        )
    name = body.name or name_of(body.sheet.encode(), body.at)
    said = {"file": f"sheet {name}", "at": body.at, "location": body.location}
    with act.doing(said):
        done = counts.submit(
            act.house.wiring.house, act.house.settings, read(body.sheet, body.location), name, body.at,
            by=act.by, reason=body.reason_code, now=act.now,
        )  # fmt: skip
    return told(done)


@does("count.order", "/counts/orders", "counts", router)
def order(act: TheAct, body: CountOrder) -> Response:
    """Order a recount; until it is in, fewer units are promised for pick-up."""
    with act.doing(body.arguments(), body.reason):
        done = counts.order(
            act.engine, body.sku, body.location, by=act.by, reason=body.reason, now=act.now()
        )
    return told(done)


@does("count.worth", "/counts/worth", "counts", router)
def worth(act: TheAct, body: Worths) -> Response:
    """Say what units cost and are sold for; all of it, or nothing."""
    rows = [(row.sku, row.cost, row.price) for row in body.rows]
    with act.doing({"file": body.file, "rows": len(rows)}):
        done = counts.set_worth(act.engine, rows, body.file, by=act.by, now=act.now())
    return told(done)


@does("recon.owner", "/debt/owner", "reconciliation", router)
def own(act: TheAct, body: Owner) -> Response:
    """Say who mends what keeps drifting: a person or a team."""
    with act.doing(body.arguments()):
        done = work.own(act.engine, body.owner, body.channel, body.cause, by=act.by, now=act.now())
    return told(done)
