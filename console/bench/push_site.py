"""The house in front of one vendor: opened, changed the way changes come, and pushed the way the workers push."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson
from pydantic import SecretStr
from sqlalchemy import text

from allocation import backlog, receipts, store
from allocation.document import read
from channels.edi import visits
from channels.edi.exchange import exchange_of
from channels.edi.lane import KIND as WHOLESALE
from console.bench.push_order import Pushed
from console.bench.push_vendors import PLACE, Vendor
from ledger import catalogue, inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from workers.flows import edi_desk, mapping
from workers.flows.allocate import allocate
from workers.flows.edi_exchange import visit
from workers.flows.edi_work import work as work_interchanges
from workers.flows.ingest import drain
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.receipts import work_receipts
from workers.flows.verify import verify
from workers.settings import Settings
from workers.wiring import Wiring

OPENING_UNITS = 1000
#: How long a go that found nothing to do waits for the next one.
_PAUSE_S = 0.02
_CHUNK = 1000

_TARGETS = text("SELECT sku, units FROM target WHERE channel = :channel ORDER BY sku")

_PUSHED = text("""
    SELECT sku, units, number, coalesce(outcome, 'sent') AS outcome FROM push
    WHERE channel = :channel AND id > :after ORDER BY id
""")

_LAST_PUSH = text("SELECT coalesce(max(id), 0) FROM push")

_WAITING = text("""
    SELECT (SELECT count(*) FROM push_due WHERE channel = :channel AND NOT parked) AS due,
           (SELECT max(run_at) FROM push_due WHERE channel = :channel AND NOT parked) AS last_run_at,
           (SELECT count(*) FROM push_due WHERE channel = :channel AND parked) AS parked,
           (SELECT count(*) FROM receipt WHERE channel = :channel AND state = 'waiting') AS receipts,
           (SELECT count(*) FROM shown WHERE channel = :channel AND verify_at IS NOT NULL) AS unread,
           (SELECT count(*) FROM edi_document
            WHERE partner = :channel AND direction = 'out' AND ack_state = 'waiting') AS unanswered
""")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is still to be done for a channel, in rows (`receipts` in calls, `unanswered` in documents).

    last_run_at   when the last of the due rows may go out
    parked        set aside for a person; nothing here should be
    unread        confirmed, and not read back yet
    """

    due: int
    last_run_at: datetime | None
    parked: int
    receipts: int
    unread: int
    unanswered: int

    @property
    def is_shown(self) -> bool:
        """Every number has gone out, and everything that was taken in is answered."""
        return not (self.due or self.receipts or self.unanswered)

    @property
    def is_over(self) -> bool:
        """It is read back too; only what is parked is left."""
        return self.is_shown and not self.unread


@dataclass(slots=True)
class Went:
    """What settling came to.

    shown_at   when every number had gone out and was answered; None when it did not happen in time
    stopped    the vendor's last reason to stop, "" when there was none
    """

    shown_at: datetime | None = None
    over: bool = False
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """An opened house and its one lane.

    now    the vendor's clock, which is everybody's here
    """

    wiring: Wiring
    vendor: Vendor
    lane: Lane
    now: Callable[[], datetime]
    skus: Sequence[str]
    serial: list[int] = field(default_factory=lambda: [0])

    @property
    def channel(self) -> str:
        return self.vendor.kind


def open_site(settings: Settings, vendor: Vendor, skus: Sequence[str]) -> Site:
    """Rules, SKUs, opening stock, listings bound; the channel may write and nothing has been pushed yet.

    settings   naming an empty, migrated database and a Redis of the measurement's own
    """
    now = vendor.clock.now
    named = {vendor.kind: dict(vendor.secrets)}
    told = settings.model_copy(
        update={"channel_secrets": SecretStr(json.dumps(named)), "env": f"bench-{vendor.kind}"}
    )
    # Without a pause, as in a worker: who meets a limit comes back.
    wiring = Wiring(told)
    with transaction(wiring.engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(skus, ""))
        store.apply_rules(
            connection, vendor.rules, read(vendor.rules), "bench", "measurement", now()
        )
        backlog.allow_writes(connection, vendor.kind)
    lane = replace(wiring.push_lane(vendor.kind), now=now)
    site = Site(wiring, vendor, lane, now, skus)
    _map(site, told)
    change(site, [("receipt", sku, OPENING_UNITS) for sku in skus])
    return site


def _map(site: Site, settings: Settings) -> None:
    # At a door, where a person waits for the vendor's limit.
    with closing(Wiring(settings, pause=time.sleep)) as door:
        mapped = mapping.map_channel(
            door.engine,
            door.client(site.channel),
            channel=site.channel,
            now=site.now(),
            dry_run=False,
            add_skus=False,
            assortment=site.vendor.assortment,
        )
    if mapped.bound != len(site.skus):
        raise AssertionError(f"{mapped.bound} of {len(site.skus)} bound; {mapped.problems[:1]}")


def change(site: Site, changes: Sequence[tuple[str, str, int]]) -> None:
    """Book changes (kind, SKU, units) and compute the targets that follow: inbox, drain, allocate."""
    for begin in range(0, len(changes), _CHUNK):
        facts = [_fact(site, *one) for one in changes[begin : begin + _CHUNK]]
        deliveries = [
            Delivery("bench", str(fact["id"]), FACT_TOPIC, orjson.dumps(fact)) for fact in facts
        ]
        with transaction(site.wiring.engine) as connection:
            inbox.keep(connection, deliveries, now=site.now())
    drain(site.wiring.house, now=site.now())
    allocate(site.wiring.engine, now=site.now, rise_wait_s=site.lane.rise_wait_s)


def _fact(site: Site, kind: str, sku: str, units: int) -> dict[str, object]:
    site.serial[0] += 1
    number = str(site.serial[0])
    fact: dict[str, object] = {
        "kind": kind,
        "source": "bench",
        "id": f"{kind}:{number}",
        "occurred_at": site.now().isoformat(),
        "sku": sku,
        "location": PLACE,
        "units": units,
    }
    return fact | ({"channel": "desk", "order": number, "line": "1"} if kind == "order" else {})


def waiting(site: Site) -> Waiting:
    """What is still to be done."""
    with transaction(site.wiring.engine) as connection:
        row = connection.execute(_WAITING, {"channel": site.channel}).one()
    return Waiting(**row._asdict())


def targets(site: Site) -> Mapping[str, int]:
    """SKU -> units that should be shown."""
    with transaction(site.wiring.engine) as connection:
        rows = connection.execute(_TARGETS, {"channel": site.channel})
        return {row.sku: row.units for row in rows}


def pushed(site: Site, *, after: int = 0) -> list[Pushed]:
    """The house's log of pushes, oldest first."""
    with transaction(site.wiring.engine) as connection:
        rows = connection.execute(_PUSHED, {"channel": site.channel, "after": after})
        return [Pushed(**row._asdict()) for row in rows]


def last_push(site: Site) -> int:
    """Where the log of pushes stands."""
    with transaction(site.wiring.engine) as connection:
        return int(connection.execute(_LAST_PUSH).scalar_one())


def until_due(site: Site) -> None:
    """Wait until the last rise may go out, so that all of them can share calls."""
    last = waiting(site).last_run_at
    while last is not None and site.now() < last:
        time.sleep(_PAUSE_S)


def settle(site: Site, *, limit_s: float, busy: Callable[[], bool] = lambda: False) -> Went:
    """Push, ask for answers and read back, as the workers do, until nothing is left to do.

    limit_s   give up after so many real seconds
    busy      more changes are coming
    """
    went = Went()
    ends_s = time.monotonic() + limit_s
    while time.monotonic() < ends_s:
        went.stopped = _go(site) or went.stopped
        still_busy = busy()
        left = waiting(site)
        if not still_busy and left.is_shown and went.shown_at is None:
            went.shown_at = site.now()
        if not still_busy and left.is_over:
            went.over = True
            break
        time.sleep(_PAUSE_S)
    return went


def _go(site: Site) -> str:
    """One go at everything; why the vendor stopped it, "" when it did not."""
    report = push(site.lane)
    with transaction(site.wiring.engine) as connection:
        asking = site.channel in receipts.to_ask(connection, site.now())
    answered = work_receipts(site.lane).stopped if asking else ""
    seen = verify(site.lane).stopped
    if site.channel == WHOLESALE:
        _exchange(site)
    return report.stopped or answered or seen


def _exchange(site: Site) -> None:
    """Look into the partner's folder when it is time, and work what lies there."""
    engine = site.wiring.engine
    with transaction(engine) as connection:
        if site.channel not in visits.due(connection, site.now()):
            return
        partner = edi_desk.partner(connection, site.channel)
    box = exchange_of(read(site.vendor.rules).channels[site.channel].base_url, {}, quiet_s=0)
    visit(engine, partner, box, now=site.now)
    work_interchanges(site.wiring.house, now=site.now())
