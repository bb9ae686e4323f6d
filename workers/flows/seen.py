"""What a person sees a channel show, judged as if it had been read: for channels that cannot be asked.

A wholesale partner acknowledges an availability document and may show the old number all the same; nothing that we
could ask would tell. Somebody who looks at the partner's portal can. The reading opens or ends a drift, is named and
halts as any other, and the number is sent again, in a document of its own. While a newer document is not acknowledged,
what the portal shows says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Engine

from channels.base import Binding, Channel, Reading
from ledger.db import refuse_inside_transaction, transaction
from reconcile import early, pages
from reconcile.types import Counts
from workers.flows.judging import Judging, due_again, judge_readings, write_judged
from workers.flows.reconcile_terms import RunReport, Terms

#: SKU, or SKU and location -> units.
Seen: TypeAlias = Mapping[tuple[str, str | None], int]


class NotListed(ValueError):
    """The channel does not list the SKU (there), or lists it at several places and none was named."""


def judge_seen(
    engine: Engine,
    client: Channel,
    *,
    channel: str,
    seen: Seen,
    now: datetime,
    terms: Terms,
    dry_run: bool = False,
) -> RunReport:
    """Judge what somebody saw a moment ago.

    client     what it says to be unknown is on its way, and not judged
    dry_run    judge only, write nothing
    raises     NotListed; ChannelError where the channel can be asked and does not answer
    """
    # Whoever looked has heard of no order that we have not.
    terms = replace(terms, limits=replace(terms.limits, hears_first=False, settle=timedelta(0)))
    at = Judging(channel, None, terms)
    with transaction(engine) as connection:
        listed = early.listings(connection, channel, sorted({sku for sku, _ in seen}))
    found = [
        Reading(_at(listed, channel, sku, location), units, None, None, now)
        for (sku, location), units in seen.items()
    ]
    out = _on_their_way(client, [reading.binding for reading in found])
    known = {
        (reading.binding.sku, reading.binding.location): reading
        for reading in found
        if reading.binding not in out
    }
    with transaction(engine) as connection:
        state = pages.channel_state(connection, channel)
        if state is None:
            raise NotListed(f"no channel is called {channel!r}: lockstep channel list")
        judged = judge_readings(connection, at, state, known, now)
        counts = Counts(
            expected=len(found),
            read=len(known),
            unknown=len(out),
            in_flight=judged.in_flight + len(judged.unheard),
            drifted=len(judged.findings),
        )
        if dry_run:
            would = tuple(sorted({f.case.sku for f in judged.findings if f.halt_reason}))
            counts = replace(counts, repushed=len(due_again(judged.findings, now, terms.limits)))
            return RunReport(channel, now, "done", counts, tuple(judged.findings), would)
        written = write_judged(connection, at, judged, known, now)
    counts = replace(
        counts, repushed=written.repushed, halted=len(written.halted), fixed=written.fixed
    )
    return RunReport(
        channel, now, "done", counts, tuple(judged.findings), tuple(sorted(written.halted))
    )


def _at(listed: Sequence[Binding], channel: str, sku: str, location: str | None) -> Binding:
    here = [b for b in listed if b.sku == sku and location in (None, b.location)]
    if len(here) != 1:
        places = ", ".join(b.location for b in here) or "none"
        raise NotListed(
            f"{sku} at {channel}: listed at {places}; name one of its places as {sku}@LOCATION=UNITS, or see"
            f" lockstep explain {sku}"
        )
    return here[0]


def _on_their_way(client: Channel, asked: Sequence[Binding]) -> set[Binding]:
    refuse_inside_transaction("what was seen of a channel")
    return {reading.binding for reading in client.snapshot(asked) if reading.units is None}
