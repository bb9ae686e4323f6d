"""What must hold when a storm is over and everything has had its time: the promises, one function each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from allocation.types import Rule
from console.chaos.account import Account
from console.chaos.deeds import Deeds, as_booked
from console.chaos.house import House
from console.chaos.trade import committed
from console.chaos.types import Breach
from console.chaos.vendors import Refusals, throttled
from ledger.db import transaction
from ledger.verify import verify
from reconcile.types import Action
from workers.flows.allocate import targets_now

#: A refusal takes so long to reach us, and a call to the vendor, at most; a slow one is forgiven nothing.
_ON_THE_WAY: Final = timedelta(seconds=0.6)

_INBOX = "SELECT source, delivery_id, state, coalesce(error, '') AS error FROM inbox ORDER BY id"
_BOOK = "SELECT sku, location, state, units FROM balance WHERE location <> 'OUTSIDE' AND units <> 0"
_SOLD: Final = "SELECT DISTINCT sku FROM pace"
_SHOULD = """
    SELECT t.channel, t.sku, t.location, t.units, s.units AS believed,
           EXISTS (SELECT FROM halt AS h
                   WHERE h.channel = t.channel AND h.sku = t.sku AND h.state <> 'lifted') AS halted
    FROM target AS t LEFT JOIN shown AS s USING (channel, sku, location) ORDER BY 1, 2, 3
"""
_DRIFTS = "SELECT channel, sku, location, expected, actual, cause, action FROM drift ORDER BY id"
_HALTS = (
    "SELECT channel, sku, state, error FROM halt WHERE state IN ('setting', 'lifting') ORDER BY id"
)
# A number whose fate was unknown may come later than a younger one, and is corrected by the read-back.
_BACK: Final = """
    SELECT channel, sku, location, number, before FROM (
        SELECT p.channel, p.sku, p.location, p.number, p.id,
               max(p.number) OVER (PARTITION BY p.channel, p.sku, p.location ORDER BY p.answered_at, p.id
                                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM push AS p WHERE p.outcome = 'confirmed'
    ) AS in_order
    WHERE number < before AND NOT EXISTS (
        SELECT FROM push AS u WHERE u.channel = in_order.channel AND u.sku = in_order.sku
        AND u.location = in_order.location AND u.outcome IN ('unknown', 'sent'))
    ORDER BY id
"""
_WAITS: Final = {
    "SKUs to be computed": "SELECT sku AS what FROM due ORDER BY 1",
    "numbers to be pushed": """
        SELECT channel || ' ' || sku || ' ' || location || ': ' || coalesce(error, '') AS what FROM push_due AS d
        WHERE NOT EXISTS (SELECT FROM halt AS h WHERE h.channel = d.channel AND h.sku = d.sku AND h.state <> 'lifted')
        ORDER BY 1
    """,
    "calls without an answer": """
        SELECT channel || ' ' || receipt AS what FROM receipt WHERE state = 'waiting' ORDER BY 1
    """,
    "files to be sent": """
        SELECT partner || ' ' || control || ' ' || error AS what FROM edi_interchange
        WHERE direction = 'out' AND state = 'posted' ORDER BY id
    """,
    "channels stopped": "SELECT channel || ': ' || paused_why AS what FROM channel WHERE paused ORDER BY 1",
}

#: Seconds in which a folder is looked into and what lay there is worked.
_VISITED_S: Final = 120

Check = Callable[[House, Deeds], Iterator[str]]


def each_delivery_once(house: House, _: Deeds) -> Iterator[str]:
    """Every delivery that was accepted is in the inbox once, and applied."""
    states = {(row.source, row.delivery_id): (row.state, row.error) for row in house.rows(_INBOX)}
    for key in (*house.accepted, *_put_in(house)):
        state, error = states.get(key, ("lost", ""))
        if state != "applied":
            yield f"{key[0]} {key[1]} was accepted and is {state} {error}".rstrip()
    for key, (state, error) in states.items():
        if key not in house.accepted and state != "applied":
            yield f"{key[0]} {key[1]} is {state} {error}".rstrip()


def no_file_is_refused(house: House, _: Deeds) -> Iterator[str]:
    """Of a partner's whole files none is refused, however often it comes."""
    for name, account in house.accounts.items():
        for path in account.shelves.refused() if account.shelves is not None else ():
            yield f"{name}: {path}"


def _put_in(house: House) -> Iterator[tuple[str, str]]:
    """What partners put into their folders long enough ago, as deliveries."""
    before = house.clock.now() - timedelta(seconds=_VISITED_S)
    for name, account in house.accounts.items():
        if account.shelves is not None:
            for control, at in account.shelves.put_in.items():
                if at <= before:
                    yield name, f"NORTHMART:LOCKSTEP:{control}"


def the_book_proves_itself(house: House, _: Deeds) -> Iterator[str]:
    """`ledger verify` finds nothing."""
    for finding in verify(house.engine).findings:
        yield f"{finding.check}: {finding.row} {finding.says}"


def units_are_conserved(house: House, deeds: Deeds) -> Iterator[str]:
    """The book holds at each place what the diary of all that happened says."""
    book = {(row.sku, row.location, row.state): row.units for row in house.rows(_BOOK)}
    whole = Counter(deeds.diary)
    whole.update(committed(house))
    diary = as_booked(whole)
    for place in sorted({*book, *diary}):
        if book.get(place, 0) != diary.get(place, 0):
            yield f"{' '.join(place)}: {book.get(place, 0)} in the book, {diary.get(place, 0)} by the diary"


def targets_are_of_the_moment(house: House, _: Deeds) -> Iterator[str]:
    """Where a season begins, every target is what the rules and the book say at this moment.

    Elsewhere a target may stay as it is while its buffer would be another one by a unit; so may that of a SKU that
    never sold, which is not computed anew because a channel's lag has moved. It keeps to the season's cap all the same.
    """
    if house.clock_was_set or not house.cast.season:
        return
    with transaction(house.engine) as connection:
        targets = targets_now(connection, list(house.cast.skus), house.now())[1]
    sold = {row.sku for row in house.rows(_SOLD)}
    stand = {(row.channel, row.sku, row.location): row.units for row in house.rows(_SHOULD)}
    for each in targets:
        units = stand.get((each.channel, each.sku, each.location), 0)
        if units != each.units and (each.sku in sold or not _is_within_cap(each.rule, units)):
            yield f"{each.channel} {each.sku} {each.location}: {units} is the target, {each.units} by the rules"


def _is_within_cap(rule: Rule | None, units: int) -> bool:
    return rule is not None and (rule.cap is None or units <= rule.cap)


def every_channel_shows_its_target(house: House, _: Deeds) -> Iterator[str]:
    """Every vendor shows the target, or nothing where a halt stands."""
    levels = {name: account.levels() for name, account in house.accounts.items()}
    for row in house.rows(_SHOULD):
        shows = levels[row.channel][row.sku, row.location]
        if row.halted and shows > 0:
            yield f"{row.channel} {row.sku} {row.location} is halted and shows {shows}"
        # Below zero a vendor says itself that nothing is there.
        if not row.halted and max(0, shows) != row.units:
            yield f"{row.channel} {row.sku} {row.location} shows {shows}, should {row.units}, believed {row.believed}"


def nothing_waits(house: House, _: Deeds) -> Iterator[str]:
    """Nothing is left to be computed, pushed, asked for or carried out."""
    for what, statement in _WAITS.items():
        for row in house.rows(statement):
            yield f"{what}: {row.what}"
    for row in house.rows(_HALTS):
        yield f"halt of {row.sku} on {row.channel} is still {row.state} {row.error}"


def limits_are_kept(house: House, _: Deeds) -> Iterator[str]:
    """No vendor refused a call because there were too many, but where it was told to, or one had come twice."""
    for name, account in house.accounts.items():
        struck = sum(f.struck for f in account.simulator.faults.all() if f.kind == "throttle")
        limits = throttled(account, house.doubled[name])
        if sum(map(unprovoked, limits)) > struck:
            count = sum(len(limit.at) for limit in limits)
            doubled = sum(len(limit.doubled) for limit in limits)
            yield f"{name} refused {count} calls, {struck} by a fault, with {doubled} that came twice"


def unprovoked(limit: Refusals) -> int:
    """Refusals that a caller could have known of before.

    Not those that follow one before we can have heard of it: a fault that empties a bucket, or a call too many,
    refuses with one call those that are on their way. And one for each call that came twice, of which we know one:
    that is refused when it comes again, or the vendor counts it, until its bucket is full, and refuses a later one.
    """
    heard: list[datetime] = []
    for at in limit.at:
        if not heard or at - heard[-1] > _ON_THE_WAY:
            heard.append(at)
    doubled = list(limit.doubled)
    for at in heard:
        counted = [each for each in doubled if 0 <= (at - each).total_seconds() <= limit.fills_s]
        doubled = [each for each in doubled if each not in counted[:1]]
    return len(heard) - (len(limit.doubled) - len(doubled))


def no_older_call_wins(house: House, _: Deeds) -> Iterator[str]:
    """What a younger call has set is not set back by an older one."""
    yield from house.overtaken


def no_halted_sku_is_sold(house: House, _: Deeds) -> Iterator[str]:
    """From the moment a halt is confirmed until it is lifted, no call of ours puts its SKU on sale."""
    yield from house.sold_halted


def no_confirmed_number_goes_back(house: House, deeds: Deeds) -> Iterator[str]:
    """What a vendor confirmed is never older than what it confirmed before, but for calls whose fate was unknown."""
    # Which answer came first is told by clocks, of machines that differ or were set.
    if house.clock_was_set or deeds.skews_s:
        return
    for row in house.rows(_BACK):
        yield f"{row.channel} {row.sku} {row.location}: number {row.number} was confirmed after {row.before}"


def no_drift_without_cause(house: House, deeds: Deeds) -> Iterator[str]:
    """Where nobody touched a number and no call of ours went wrong, nothing was found to drift, and no SKU halted.

    By a clock that was set each order and cancel of a vendor whose clock is right looks late: that is said, and nothing
    is done. So does one that nobody told of, where a small plan's poll takes longer than a reading waits for it.
    """
    untold = house.untold | {
        name for name, account in house.accounts.items() if _kept_quiet(account)
    }
    for row in house.rows(_DRIFTS):
        if row.action == Action.BACKFILL and (house.clock_was_set or row.channel in untold):
            continue
        if (row.channel, row.sku) not in deeds.touched and row.channel not in deeds.troubled:
            yield f"{row.channel} {row.sku} {row.location}: {row.actual} for {row.expected}, called {row.cause}"


def _kept_quiet(account: Account) -> bool:
    """Whether the vendor itself lost a notification, or sent it late."""
    return any(f.struck for f in account.simulator.faults.all() if f.kind.startswith("webhook"))


def each_window_once(house: House, deeds: Deeds) -> Iterator[str]:
    """Where no call went wrong and no worker died, no window is compared twice."""
    if deeds.deadly or house.clock_was_set:
        return
    for (channel, window_at), times in sorted(deeds.compared.items()):
        if times > 1 and channel not in deeds.troubled:
            yield f"{channel}: the window of {window_at} was read {times} times"


CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("each delivery once", each_delivery_once),
    ("no file is refused", no_file_is_refused),
    ("the book proves itself", the_book_proves_itself),
    ("units are conserved", units_are_conserved),
    ("targets are of the moment", targets_are_of_the_moment),
    ("every channel shows its target", every_channel_shows_its_target),
    ("nothing waits", nothing_waits),
    ("limits are kept", limits_are_kept),
    ("no older call wins", no_older_call_wins),
    ("no halted SKU is sold", no_halted_sku_is_sold),
    ("no confirmed number goes back", no_confirmed_number_goes_back),
    ("no drift without cause", no_drift_without_cause),
    ("each window once", each_window_once),
)


def breaches(house: House, deeds: Deeds) -> list[Breach]:
    """Every promise that does not hold."""
    found = list(deeds.breaches)
    for invariant, check in CHECKS:
        found += [Breach(invariant, said) for said in check(house, deeds)]
    return found
