"""Push measured against the vendors' contracts: the fewest calls, never above the rate, the newest number wins.

Each lane has a house and a simulator of its own, over HTTP and on its real clock, and two passes. Coalesced: all
changes are booked, wave by wave, before the first push; what is due then goes out in as few calls as the contract
allows. Live: the changes come at a steady rate while the lane pushes. Calls, rates and what was written are counted
in the simulator's own log.
"""

from __future__ import annotations

import os
import platform
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from channels.simulators.clock import Clock
from channels.simulators.events import Entry
from console.bench.push_order import older_numbers
from console.bench.push_rates import Use, play
from console.bench.push_site import (
    Site,
    Went,
    change,
    last_push,
    open_site,
    pushed,
    settle,
    targets,
    until_due,
    waiting,
)
from console.bench.push_vendors import VENDORS, Call, Player
from ledger.db import connect, transaction
from workers.settings import Settings

LANES = tuple(VENDORS)
_WAVES = 10
#: Changes a second of the live pass, and how many of them are booked together.
_LIVE_PER_S = 400
_LIVE_TOGETHER = 20
#: A pass that is not over by then has failed. Seconds.
_LIMIT_S = 600.0
_SHOWN = 3

#: (kind, SKU, units)
Change = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a pass begins, in both logs."""

    at: datetime
    entry: int
    push: int


def measure(
    fresh: Callable[[], AbstractContextManager[Settings]],
    *,
    lanes: Sequence[str] = LANES,
    changes: int = 10_000,
    skus: int = 1_000,
    seed: int = 0,
    time_scale: float = 1.0,
    live: bool = True,
    vendors: Mapping[str, Player] = VENDORS,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Every lane after the other, each in a house of its own.

    fresh        settings that name an empty, migrated database and an empty Redis
    time_scale   simulated seconds per real second; the measurement proper has 1
    live         with the live pass; the measurement proper has it
    vendors      who plays the vendor of each lane
    say          told what is going on
    """
    measured: dict[str, Any] = {}
    told: dict[str, str] = {}
    for kind in lanes:
        with fresh() as settings:
            names = [f"SKU-{number:04}" for number in range(skus)]
            vendor = vendors[kind](names, seed, Clock(scale=time_scale))
            try:
                say(f"{kind}: listing {skus} SKUs")
                site = open_site(settings, vendor, names)
                with closing(site.wiring):
                    measured[kind] = _lane(
                        site, changes, random.Random(f"{kind} {seed}"), live, say
                    )
            finally:
                vendor.stop()
            told = told or _server(settings)
            rows(kind, measured[kind], say)
    return {
        "changes": changes,
        "skus": skus,
        "seed": seed,
        "lanes": measured,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "durability": told,
        "passed": bool(measured) and all(lane["passed"] for lane in measured.values()),
    }


def _lane(
    site: Site, changes: int, dice: random.Random, live: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """The opening numbers, unmeasured, then both passes."""
    settle(site, limit_s=_LIMIT_S)
    say(f"{site.channel}: {changes} changes, then push")
    result = _coalesced(site, _changes(site.skus, changes, dice))
    result["passed"] = result["calls"] == result["fewest_calls"] and _holds(result)
    if live:
        say(f"{site.channel}: {changes} changes while pushing")
        result["live"] = _live(site, _changes(site.skus, changes, dice))
        result["passed"] = result["passed"] and _holds(result["live"])
    return result


def _holds(said: dict[str, Any]) -> bool:
    return all(
        said[goal] for goal in ("final_state_equal", "newest_wins", "never_above", "read_back")
    )


def _changes(skus: Sequence[str], count: int, dice: random.Random) -> list[Change]:
    """Orders of a channel that shows nothing, and receipts: both make other channels' numbers move."""
    return [
        ("order" if dice.random() < 0.7 else "receipt", dice.choice(skus), dice.randint(1, 5))
        for _ in range(count)
    ]


def _coalesced(site: Site, changes: Sequence[Change]) -> dict[str, Any]:
    """All changes first, wave by wave; then push what they came to."""
    size = -(-len(changes) // _WAVES)
    for begin in range(0, len(changes), size):
        change(site, changes[begin : begin + size])
    until_due(site)
    rows = waiting(site).due
    mark = _mark(site)
    went = settle(site, limit_s=_LIMIT_S)
    return {"fewest_calls": site.vendor.fewest(rows)} | _report(site, mark, went, len(changes))


def _live(site: Site, changes: Sequence[Change]) -> dict[str, Any]:
    """Changes at a steady rate from one thread, pushes all the while from this one."""
    mark = _mark(site)
    with _arriving(site, changes) as busy:
        went = settle(site, limit_s=_LIMIT_S, busy=busy)
    return _report(site, mark, went, len(changes))


@contextmanager
def _arriving(site: Site, changes: Sequence[Change]) -> Iterator[Callable[[], bool]]:
    """Book changes from a thread of its own; the value says whether more are coming."""
    failed: list[Exception] = []

    def book() -> None:
        begun = time.monotonic()
        try:
            for begin in range(0, len(changes), _LIVE_TOGETHER):
                change(site, changes[begin : begin + _LIVE_TOGETHER])
                ahead_s = begun + (begin + _LIVE_TOGETHER) / _LIVE_PER_S - time.monotonic()
                time.sleep(max(0.0, ahead_s))
        except Exception as error:  # raised where the measurement waits
            failed.append(error)

    def is_busy() -> bool:
        # Asked first: a thread that has just failed would else look as if it had just finished.
        alive = thread.is_alive()
        if failed:
            raise failed[0]
        return alive

    thread = threading.Thread(target=book, name="changes")
    thread.start()
    try:
        yield is_busy
    finally:
        thread.join()


def _mark(site: Site) -> _Mark:
    log = site.vendor.log.since()
    return _Mark(site.now(), log[-1].seq if log else 0, last_push(site))


def _report(site: Site, mark: _Mark, went: Went, changes: int) -> dict[str, Any]:
    vendor, until = site.vendor, site.now()
    log = vendor.log.since()
    if log and log[0].seq > 1:
        raise RuntimeError(f"{vendor.kind}: its log does not reach back; measure fewer changes")
    fresh = [entry for entry in log if entry.seq > mark.entry]
    calls = [call for entry in fresh if (call := vendor.call(entry)) is not None]
    written = [row for entry in fresh for row in vendor.wrote(entry)]
    wanted = targets(site)
    older = older_numbers(pushed(site, after=mark.push), written, wanted)
    shown = vendor.shown()
    differing = [sku for sku in sorted(wanted) if shown.get(sku) != wanted[sku]]
    uses = _uses(site, log, mark.at, until)
    refused = sum(call.refused for call in calls)
    return {
        "calls": sum(call.does == "write" for call in calls),
        "changes": changes,
        "rows": len(written),
        "reads": sum(call.does == "read" for call in calls),
        "seconds": _seconds(mark.at, went.shown_at),
        "seconds_with_read_back": _seconds(mark.at, until),
        **_tightest(uses),
        "limits": [_limit(use) for use in uses],
        "refused": refused,
        "never_above": refused == 0 and all(use.never_above for use in uses),
        "final_state_equal": went.shown_at is not None and not differing,
        "differing": differing[:_SHOWN],
        "newest_wins": not older,
        "older": older[:_SHOWN],
        "read_back": went.over,
        "stopped": "" if went.over else went.stopped,
    }


def _uses(site: Site, log: Iterable[Entry], since: datetime, until: datetime) -> list[Use]:
    """Every limit, its bucket played from when the account was new."""
    calls: list[Call] = [call for entry in log if (call := site.vendor.call(entry)) is not None]
    spent = [call.spent for call in calls if call.spent is not None]
    return play(spent, site.vendor.plans, since=since, until=until)


def _tightest(uses: Sequence[Use]) -> dict[str, Any]:
    """The rates of the limit that most was used of; null where nothing is limited."""
    if not uses:
        return {"rate_used": None, "rate_allowed": None}
    return {
        "rate_used": round(uses[0].rate_used, 3),
        "rate_allowed": round(uses[0].rate_allowed, 3),
    }


def _limit(use: Use) -> dict[str, Any]:
    return {
        "limit": use.limit or "account",
        "spent": use.spent,
        "rate_used": round(use.rate_used, 3),
        "rate_allowed": round(use.rate_allowed, 3),
        "lowest": round(use.lowest, 2),
        "never_above": use.never_above,
    }


def _seconds(since: datetime, until: datetime | None) -> float | None:
    return None if until is None else round((until - since).total_seconds(), 2)


def _server(settings: Settings) -> dict[str, str]:
    engine = connect(settings.database_url)
    names = ("fsync", "synchronous_commit", "server_version")
    with transaction(engine) as connection:
        said = {name: str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in names}
    engine.dispose()
    return said


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The result for people."""
    say(
        f"{'lane':<17} {'changes':>8} {'rows':>6} {'calls':>6} {'fewest':>6} {'reads':>6} {'seconds':>8}"
        f" {'used':>9} {'allowed':>9}  newest wins, state equal, never above, read back"
    )
    for kind, lane in result["lanes"].items():
        rows(kind, lane, say)
    say(
        f"PostgreSQL {result['durability'].get('server_version', '')},"
        f" fsync {result['durability'].get('fsync', '')},"
        f" {result['machine']['cores']} cores, Python {result['machine']['python']}"
    )


def rows(kind: str, lane: dict[str, Any], say: Callable[[str], None]) -> None:
    """A lane for people."""
    _row(kind, lane, say)
    if "live" in lane:
        _row(f"{kind}, live", lane["live"], say)


def _row(name: str, said: dict[str, Any], say: Callable[[str], None]) -> None:
    def cell(value: object) -> str:
        return "-" if value is None else str(value)

    goals = ("newest_wins", "final_state_equal", "never_above", "read_back")
    say(
        f"{name:<17} {said['changes']:>8} {said['rows']:>6} {said['calls']:>6}"
        f" {cell(said.get('fewest_calls')):>6} {said['reads']:>6} {cell(said['seconds']):>8}"
        f" {cell(said['rate_used']):>9} {cell(said['rate_allowed']):>9}"
        f"  {', '.join('yes' if said[goal] else 'NO' for goal in goals)}"
    )
    for what in ("stopped", "older", "differing"):
        if said[what]:
            say(f"  {what}: {said[what]}")
