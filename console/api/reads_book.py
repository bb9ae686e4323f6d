"""Routes that read rows of the book one by one, and what the dashboard's own pages are made of."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from console.access.types import Unknown
from console.api.answers import PROBLEMS, told
from console.api.state import Reading, TheHouse
from console.api.words import HaltScope, PathId, PathName
from console.api.words_reads import (
    ChartQuery,
    FindQuery,
    LocationQuery,
    MomentQuery,
    OrderQuery,
    QuarterQuery,
    TimelineQuery,
)
from console.verbs import halts, work
from console.views import alerts, book, found, now, pace, pickup, supply, timeline
from console.views import told as told_views
from console.views.channels import certificate_of
from console.views.listing import page
from reconcile import debt
from workers.flows import mapping
from workers.keys import key_of

router = APIRouter(responses=PROBLEMS)
_ALARMS = 200


@router.get("/now", tags=["now"])
def now_(house: TheHouse, reading: Reading) -> Response:
    """The house now: in sync, halted, waiting, by channel and queue; what the first page shows."""
    return told(now.now_of(reading, house.now()))


@router.get("/search", tags=["now"])
def search(reading: Reading, query: Annotated[FindQuery, Query()]) -> Response:
    """Whatever goes by these words: SKU, order, channel id, push, event, document."""
    return told(found.find(reading, query.q))


@router.get("/skus/{sku:path}/timeline", tags=["stock"])
def happened(
    house: TheHouse, reading: Reading, sku: PathName, query: Annotated[TimelineQuery, Query()]
) -> Response:
    """What happened to a SKU, newest first. As `lockstep sku timeline --json`, with the span beside the rows."""
    return told(
        timeline.of_sku(
            reading, sku, now=house.now(), since=query.since, until=query.until, kind=query.kind,
            channel=query.channel,
        )
    )  # fmt: skip


@router.get("/skus/{sku:path}/moment", tags=["stock"])
def moment(
    house: TheHouse, reading: Reading, sku: PathName, query: Annotated[MomentQuery, Query()]
) -> Response:
    """What each channel showed at a moment, should have shown, and what the ledger knew.

    As `lockstep sku timeline --at MOMENT --json`.
    """
    return told(timeline.moment_of(reading, sku, query.at, house.now()))


@router.get("/skus/{sku:path}/chart", tags=["stock"])
def chart(
    house: TheHouse, reading: Reading, sku: PathName, query: Annotated[ChartQuery, Query()]
) -> Response:
    """What a place should have shown and showed, in steps over time."""
    until = house.now()
    since = until - timedelta(hours=query.hours)
    return told(
        timeline.charted(reading, sku, query.channel, query.location, since=since, until=until)
    )


@router.get("/skus/{sku:path}/pace", tags=["stock"])
def paced(house: TheHouse, reading: Reading, sku: PathName) -> Response:
    """How fast a SKU sells, by channel and location. As `lockstep pace --json`."""
    return told(pace.pace(reading, sku, house.now()))


@router.get("/skus/{sku:path}/atp", tags=["stock"])
def atp(
    house: TheHouse, reading: Reading, sku: PathName, query: Annotated[LocationQuery, Query()]
) -> Response:
    """What can still be promised of a SKU, by the day it is there. As `lockstep sku atp --json`."""
    return told(supply.promised(reading, sku, query.location, house.now()))


@router.get("/skus/{sku:path}/pickup", tags=["stock"])
def picked_up(
    reading: Reading, sku: PathName, query: Annotated[LocationQuery, Query()]
) -> Response:
    """What stores may promise for pick-up, with the arithmetic. As `lockstep pickup show --json`."""
    return told(pickup.promised(reading, sku, query.location or ""))


@router.get("/drift/{number}", tags=["reconciliation"])
def drift(reading: Reading, number: PathId) -> Response:
    """A difference with its evidence."""
    return told(_known(book.drift(reading, number), f"there is no drift {number}"))


@router.get("/debt/report", tags=["reconciliation"])
def report(house: TheHouse, reading: Reading, query: Annotated[QuarterQuery, Query()]) -> Response:
    """The brittle integrations of a quarter. As `lockstep recon report --json`."""
    begin, end = debt.quarter(query.quarter)
    return told(debt.report(reading, begin, end, house.now()))


@router.get("/halts/preview", tags=["halts"])
def would_halt(house: TheHouse, query: Annotated[HaltScope, Query()]) -> Response:
    """What a halt would take off sale, by channel; nothing is changed. As `lockstep halt set --dry-run --json`."""
    return told(halts.rows_of(halts.would_halt(house.engine, query.scope())))


@router.get("/incidents/{incident}", tags=["alerts"])
def incident(reading: Reading, incident: PathId) -> Response:
    """An incident with its alarms, two hundred at most, and who was told."""
    said = _known(book.incident(reading, incident), f"there is no incident {incident}")
    found_ = page(reading, alerts.ALARMS_OF, {"incident": incident}, limit=_ALARMS)
    return told(said | {"alarms": found_.rows})


@router.get("/alerts/doors", tags=["alerts"])
def doors(house: TheHouse, reading: Reading) -> Response:
    """Where alerts are told, what waits, why one is shut. As `lockstep alert doors --json`."""
    return told(alerts.doors(reading, {door.name for door in house.wiring.doors}))


@router.get("/events/{number}", tags=["ledger"])
def event(reading: Reading, number: UUID) -> Response:
    """A row of the ledger with what it moved."""
    return told(_known(book.event(reading, str(number)), f"there is no event {number}"))


@router.get("/order", tags=["ledger"])
def order(reading: Reading, query: Annotated[OrderQuery, Query()]) -> Response:
    """What the book knows of an order: lines and events."""
    found_ = book.order(reading, query.order, query.channel)
    return told(_known(found_, f"the book knows no order {query.order!r}"))


@router.get("/channels/{name}/unmapped", tags=["channels"])
def unmapped(reading: Reading, name: PathName) -> Response:
    """Deliveries that wait for a name of ours. As `lockstep channel unmapped --json`."""
    work.known_channel(reading, name)
    return told(mapping.unmapped(reading, name))


@router.get("/channels/{name}/certificate", tags=["channels"])
def certificate(house: TheHouse, reading: Reading, name: PathName) -> Response:
    """The newest certificate of a channel. As `lockstep channel certificate --json`."""
    key = key_of(house.settings.certificate_key, house.settings.home, "certificate.key")
    return told(certificate_of(reading, name, key))


@router.get("/settings", tags=["access"])
def settings(house: TheHouse) -> Response:
    """What the process that answers was told, secrets masked. As `lockstep config show --json` there."""
    return told(told_views.settings(house.settings))


def _known(found_: Any, why: str) -> Any:
    if found_ is None:
        raise Unknown(why)
    return found_
