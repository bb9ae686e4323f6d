"""Is the channel still calling us, and does it still have the locations we think it has? Once an hour.

Vendors remove a subscription after some failed deliveries, and tell nobody. What is missing is subscribed again at the
address we gave, and the orders are asked for, because nobody called about them meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

import structlog
from sqlalchemy import Connection, Engine, text

from allocation import sightings
from channels.base import Channel, ChannelError, Place, ReadsInBulk
from ledger.db import transaction
from reconcile import runs
from reconcile.types import Counts
from workers.flows import jobs
from workers.flows.lane import said
from workers.flows.reconcile_terms import Clock

log = structlog.get_logger(__name__)

_HOOK: Final = text("SELECT hook_uri FROM channel WHERE channel = :channel")

_LOCATIONS: Final = text(
    "SELECT vendor_location_id, location FROM channel_location WHERE channel = :channel ORDER BY 1"
)

_TOLD: Final = text("""
    SELECT reason FROM audit WHERE object = :object AND action = :action ORDER BY at DESC, id DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class WatchReport:
    """What a watch found.

    state      as a poll's
    repaired   topics that had to be subscribed again
    problems   sentences about locations that only a person can put right
    """

    channel: str
    state: Literal["done", "later", "failed", "skipped"]
    repaired: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    again_at: datetime | None = None
    error: str = ""


def watch(
    engine: Engine,
    client: Channel,
    *,
    channel: str,
    topics: Iterable[str],
    window_at: datetime,
    now: Clock,
    bulk: ReadsInBulk | None = None,
) -> WatchReport:
    """Compare the channel's subscriptions and locations with ours; repair the former, report the latter.

    topics     what the lane wants to hear of
    bulk       knows the vendor's locations, where the vendor can tell them
    returns    what was found; an error of the channel is a report too, never raised
    """
    with transaction(engine) as connection:
        run = runs.claim_run(connection, jobs.WATCH, channel, window_at, now(), jobs.LEASE_S)
        if run is None:
            return WatchReport(channel, "skipped")
        uri: str = connection.execute(_HOOK, {"channel": channel}).scalar_one()
    report = WatchReport(channel, "done")
    try:
        repaired = _repaired(client, frozenset(topics), uri)
        places = [] if bulk is None else bulk.places()
        with transaction(engine) as connection:
            at = now()
            if repaired:
                _note_repair(connection, channel, repaired, uri, at)
            problems = _problems(connection, channel, places) if places else ()
            _note_problems(connection, channel, problems, at)
            runs.finish_run(connection, run, Counts(read=len(places)), at)
        return replace(report, repaired=repaired, problems=problems)
    except runs.LeaseLost:
        return replace(report, state="skipped")
    except ChannelError as error:
        return _put_off(engine, run, report, error, now())


def _repaired(client: Channel, topics: frozenset[str], uri: str) -> tuple[str, ...]:
    """Topics that were missing at our address and are there again; none while nobody has given an address."""
    if not uri or not topics:
        return ()
    there = {each.topic for each in client.subscriptions() if each.uri == uri}
    if topics <= there:
        return ()
    return tuple(sorted(each.topic for each in client.subscribe(sorted(topics), uri)))


def _note_repair(
    connection: Connection, channel: str, repaired: Sequence[str], uri: str, at: datetime
) -> None:
    reason = f"the vendor had dropped {', '.join(repaired)} to {uri}"
    log.warning("subscriptions.watch.repaired", channel=channel, topics=list(repaired), uri=uri)
    jobs.trail(connection, channel, "channel.subscribe", at, reason)
    sightings.ask_for_orders(connection, [channel], at)


def _problems(connection: Connection, channel: str, places: Sequence[Place]) -> tuple[str, ...]:
    """Locations that the vendor has and we do not know, and those of ours that it has closed."""
    rows = connection.execute(_LOCATIONS, {"channel": channel})
    ours = {row.vendor_location_id: row.location for row in rows}
    there = {place.vendor_location_id: place for place in places}
    new = [
        f"location {place.name!r} ({gid}) is not one of ours: name it in vendor_locations of the rules"
        " when it sells our stock"
        for gid, place in sorted(there.items())
        if place.active and gid not in ours
    ]
    lost = [
        f"{location} is location {gid}, which the vendor has"
        f" {'closed' if gid in there else 'no more'}: take it out of the rules, or open it there"
        for gid, location in ours.items()
        if gid not in there or not there[gid].active
    ]
    return (*new, *lost)


def _note_problems(
    connection: Connection, channel: str, problems: Sequence[str], at: datetime
) -> None:
    """Into the log each time, into the trail when they are others than before."""
    for problem in problems:
        log.warning("subscriptions.watch.location", channel=channel, problem=problem)
    reason = "; ".join(problems)[:1000]
    place = {"object": f"channel:{channel}", "action": "channel.locations"}
    before = connection.execute(_TOLD, place).scalar_one_or_none()
    if reason != (before or ""):
        jobs.trail(connection, channel, place["action"], at, reason)


def _put_off(
    engine: Engine, run: runs.Run, report: WatchReport, error: ChannelError, at: datetime
) -> WatchReport:
    try:
        with transaction(engine) as connection:
            again_at = jobs.put_off(
                connection, run, report.channel, error, at, jobs.WATCH_S, jobs.WATCH
            )
    except runs.LeaseLost:
        return replace(report, state="skipped")
    state: Literal["later", "failed"] = "failed" if again_at is None else "later"
    return replace(report, state=state, again_at=again_at, error=said(error))
