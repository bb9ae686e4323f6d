"""The go-live test of a channel: first read and change nothing, then, once its first numbers are approved, write.

What is written is never above what the channel should show: a number one lower, then the number itself. So a test on a
living shop can cost a sale of one unit (or pack) for a moment, and can oversell nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from allocation import backlog, moved
from channels import bindings
from channels.base import (
    Accepted,
    Binding,
    Channel,
    ChannelError,
    Confirmed,
    Level,
    NotSent,
    Outcome,
    Rejected,
    Stale,
    Throttled,
)
from ledger.db import transaction
from reconcile import pages
from reconcile.compare import newest
from workers.flows.certificate import Certificate, Difference, Tried, digest

_TARGETS = text("""
    SELECT t.sku, t.location, t.units FROM target t JOIN binding b USING (channel, sku, location)
    WHERE t.channel = :channel AND NOT b.read_only ORDER BY t.sku, t.location
""")
_ACCOUNT = text("SELECT kind, account, base_url FROM channel WHERE channel = :channel")

#: Lanes that send documents to a person's desk: a line with an item nobody knows is not for them.
_DOCUMENTS = frozenset({"edi"})
#: Listings that take part in the writes, at most.
LISTINGS = 10
#: Seconds between two looks at a number that is on its way.
_POLL_S = 0.25
#: Seconds that a vendor may keep us waiting for its limit in one call.
_THROTTLED_S = 300.0
#: A number that is not there after so many times the lane's own settling time is not there.
_PATIENCE = 6.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What a go-live test stands on.

    wait        lets time pass; only a door may
    new_key     a name for a call that no other has
    events      writes and read-backs to compare
    wait_s      longest wait for one number beyond the lane's settling time
    progress    told how many events are done
    """

    engine: Engine
    client: Channel
    channel: str
    now: Callable[[], datetime]
    wait: Callable[[float], None]
    new_key: Callable[[], str]
    events: int = 100
    wait_s: float = 20.0
    progress: Callable[[int], None] = lambda done: None


def read_only(bench: Bench) -> Certificate:
    """First contact: credentials, scopes, listings and a read-back of everything. Nothing is changed anywhere.

    returns    a certificate with what the first numbers would change; it is not passed until somebody approves
    """
    begun_at = bench.now()
    with transaction(bench.engine) as connection:
        row = connection.execute(_ACCOUNT, {"channel": bench.channel}).one()
    certificate = Certificate(
        bench.channel, row.kind, row.account or row.base_url, begun_at, begun_at
    )
    readable = [
        _tried("credentials and subscriptions", lambda: _subscriptions(bench)),
        _tried("orders can be read", lambda: _orders(bench)),
        _tried("listings are bound", lambda: _bound(bench)),
    ]
    certificate.tried += readable
    if all(each.passed for each in readable):
        certificate.tried.append(
            _tried("every listing was read back", lambda: _compare(bench, certificate))
        )
    certificate.finished_at = bench.now()
    return certificate


def write(bench: Bench, certificate: Certificate, *, by: str) -> Certificate:
    """The writes, after `by` has approved the differences: numbers one lower and back, repeats, a bad row, a halt."""
    certificate.approved_by = by
    with transaction(bench.engine) as connection:
        # Nobody else writes there meanwhile.
        backlog.allow_writes(connection, bench.channel, allowed=False)
        targets = _targets(connection, bench.channel)
        chosen = [
            (b, targets[b.sku, b.location])
            for b in bindings.of_channel(connection, bench.channel)
            if (b.sku, b.location) in targets and not b.read_only
        ]
    chosen = sorted(chosen, key=lambda row: (row[1] < 1, row[0].sku, row[0].location))[:LISTINGS]
    if not chosen:
        certificate.tried.append(Tried("there is something to write", False, "no listing is bound"))
    else:
        certificate.tried += _numbers(bench, certificate, chosen)
        if certificate.kind not in _DOCUMENTS:
            certificate.tried.append(
                _tried("a bad row does not block", lambda: _bad_row(bench, chosen))
            )
        certificate.tried.append(_tried("a halt is undone exactly", lambda: _halt(bench, chosen)))
    with transaction(bench.engine) as connection:
        # What is tried here is nobody's number: once the channel may write, each goes out as it is by then.
        places = [(b.channel, b.sku, b.location) for b, _ in chosen]
        moved.send_anew(connection, places, bench.now())
    certificate.finished_at = bench.now()
    return certificate


def _tried(name: str, attempt: Callable[[], str]) -> Tried:
    try:
        return Tried(name, True, attempt())
    except (ChannelError, _Wrong) as error:
        return Tried(name, False, f"{type(error).__name__.strip('_').lower()}: {error}")


class _Wrong(Exception):
    """The channel did something else than it should."""


# ---- reading ----


def _subscriptions(bench: Bench) -> str:
    return f"{len(bench.client.subscriptions())} subscriptions"


def _orders(bench: Bench) -> str:
    since = bench.now() - timedelta(hours=1)
    found = len(list(itertools.islice(bench.client.orders_since(since), 50)))
    return f"{found} orders of the last hour read" if found < 50 else "50 orders read"


def _bound(bench: Bench) -> str:
    with transaction(bench.engine) as connection:
        bound = bindings.of_channel(connection, bench.channel)
    if not bound:
        raise _Wrong("no listing is bound: run `lockstep channel map` first")
    return f"{len(bound)} listings at {len({b.location for b in bound})} locations"


def _compare(bench: Bench, certificate: Certificate) -> str:
    with transaction(bench.engine) as connection:
        targets = _targets(connection, bench.channel)
        bound = [
            b
            for b in bindings.of_channel(connection, bench.channel)
            if (b.sku, b.location) in targets
        ]
    read = newest(bench.client.snapshot(bound))
    with transaction(bench.engine) as connection:
        known = [reading for reading in read.values() if reading.units is not None]
        pages.note_readings(connection, bench.channel, known)
    certificate.differences = tuple(
        Difference(sku, location, found.units if found else None, units)
        for (sku, location), units in sorted(targets.items())
        if (found := read.get((sku, location))) is None or found.units != units
    )
    certificate.digest = digest(certificate.differences)
    unknown = sum(each.now is None for each in certificate.differences)
    return f"{len(targets)} numbers: {len(certificate.differences)} would change, {unknown} of them show none now"


def _targets(connection: Connection, channel: str) -> dict[tuple[str, str], int]:
    rows = connection.execute(_TARGETS, {"channel": channel})
    return {(row.sku, row.location): row.units for row in rows}


# ---- writing ----


def _numbers(
    bench: Bench, certificate: Certificate, chosen: Sequence[tuple[Binding, int]]
) -> Iterator[Tried]:
    """Rounds of numbers until the events are used up; every second round leaves what should be shown."""
    wrong: list[str] = []
    for number in itertools.count(1):
        lower = number % 2 == 1
        levels = [
            Level(b, max(0, units - b.pack) if lower else units, number) for b, units in chosen
        ]
        try:
            key = bench.new_key()
            _send(bench, levels, key)
            # The same call once more, as after an answer that was lost.
            _send(bench, levels, key)
            wrong += _not_shown(bench, levels)
        except (ChannelError, _Wrong) as error:
            wrong.append(f"round {number}: {error}")
        certificate.events += len(levels)
        certificate.failed = len(wrong)
        bench.progress(certificate.events)
        if wrong or (not lower and certificate.events >= bench.events):
            break
    yield Tried(
        "numbers are shown as they were sent, repeats included",
        not wrong,
        "; ".join(wrong[:5]) or f"{certificate.events} events over {len(chosen)} listings",
    )


def _send(bench: Bench, levels: Sequence[Level], key: str) -> None:
    """Push, coming back as the vendor asks; what is not taken is wrong."""
    left = list(levels)
    until = bench.now() + timedelta(seconds=_limit_s(bench) + _THROTTLED_S)
    for call in itertools.count(1):
        if not left:
            return
        if bench.now() > until:
            raise _Wrong(f"{len(left)} numbers could not be sent for lack of leave by the vendor")
        sent, later = left[: bench.client.direct_rows], left[bench.client.direct_rows :]
        try:
            answer = bench.client.push(sent, key=key if call == 1 else f"{key}.{call}")
        except Throttled as refusal:
            bench.wait(max(_POLL_S, refusal.retry_after_s))
            continue
        unsent = [outcome for outcome in answer if isinstance(outcome, NotSent)]
        _refuse_refused(answer)
        left = [outcome.level for outcome in unsent] + later
        if unsent:
            bench.wait(max(_POLL_S, *(outcome.retry_after_s for outcome in unsent)))


def _refuse_refused(answer: Sequence[Outcome]) -> None:
    for outcome in answer:
        if isinstance(outcome, Rejected):
            raise _Wrong(f"{outcome.level.binding.sku}: {outcome.code}: {outcome.message}")
        if isinstance(outcome, Stale):
            raise _Wrong(f"{outcome.level.binding.sku}: stale, though nothing was expected")


def _not_shown(bench: Bench, levels: Sequence[Level]) -> list[str]:
    """What is not shown as it should be when the lane's time to settle is over."""
    until = bench.now() + timedelta(seconds=_limit_s(bench))
    while True:
        read = newest(bench.client.snapshot([level.binding for level in levels]))
        wrong = [
            f"{level.binding.sku} at {level.binding.location} shows"
            f" {found.units if found else None} instead of {level.units}"
            for level in levels
            if (found := read.get((level.binding.sku, level.binding.location))) is None
            or found.units != level.units
        ]
        if not wrong or bench.now() > until:
            return wrong
        bench.wait(_POLL_S)


def _limit_s(bench: Bench) -> float:
    return bench.wait_s + _PATIENCE * bench.client.settle_s


def _bad_row(bench: Bench, chosen: Sequence[tuple[Binding, int]]) -> str:
    """A row with ids that nobody gave must be refused alone."""
    good, units = chosen[0]
    lost = replace(
        good, item_id=f"{good.item_id}0000000", variant_id="", level_id="", sku=f"{good.sku}-none"
    )
    answer = bench.client.push([Level(lost, 0, 1), Level(good, units, 1)], key=bench.new_key())
    if not isinstance(answer[1], Confirmed | Accepted):
        raise _Wrong(f"{good.sku} was not taken beside a bad row: {answer[1]}")
    return f"the bad row: {type(answer[0]).__name__.lower()}, the good one taken"


def _halt(bench: Bench, chosen: Sequence[tuple[Binding, int]]) -> str:
    """Off sale and back; the state of sale afterwards is what it was."""
    binding, units = chosen[0]
    before = dict(bench.client.sale_state(binding))
    undo = bench.client.stop_sale(binding)
    stopped = Level(binding, 0, 1)
    wrong = _not_shown(bench, [stopped])
    bench.client.resume_sale(binding, undo)
    _send(bench, [Level(binding, units, 2)], bench.new_key())
    wrong += _not_shown(bench, [Level(binding, units, 2)])
    after = dict(bench.client.sale_state(binding))
    # The number itself is the push's, not the halt's.
    changed = {
        name
        for name in {*before, *after}
        if name != "units" and before.get(name) != after.get(name)
    }
    if wrong or changed:
        raise _Wrong("; ".join([*wrong, *(f"{name} is not as it was" for name in sorted(changed))]))
    return f"{binding.sku} off sale and back"
