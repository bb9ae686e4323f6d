"""Why a channel should show a number: ledger, rules, target, push and read-back, as they are at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from allocation import explain_store, holder_store, lag_store, shown_store, store
from allocation.document import read_stored
from allocation.explain_store import Current
from allocation.explaining import Account, Explained, Kept, Listing, holding
from allocation.explaining import explain as explain_target
from allocation.holders import Holder
from allocation.lags import STAGES
from allocation.reasons import held_by
from ledger.db import transaction

#: Newest events of a balance that are named one by one.
ROWS = 5


class NothingToExplain(LookupError):
    """There is no such SKU, channel or number; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One number with everything it rests on and what became of it.

    at           the moment asked about; None is now, and only then `due_since` and `lag` are told
    kept         the target as it was computed; None where its arithmetic was not kept (set before that was done)
    current      the target as it stands now
    rules        version, author, reason and applied_at of the rules it was computed with
    accounts     the ledger behind it
    became       what was pushed, shown and read of it (`allocation.shown_store.became`)
    held_by      what a rise of it waits for now, in words; empty where nothing is held
    lag          of the channel, in seconds: hear_s, show_s, and which stages are assumed; None where buffers ask none
    """

    sku: str
    channel: str
    location: str
    at: datetime | None
    listing: Listing
    kept: Kept | None
    current: Current
    explained: Explained | None
    rules: Mapping[str, Any] | None
    accounts: tuple[Account, ...]
    became: Mapping[str, Any]
    lag: Mapping[str, Any] | None
    held_by: str = ""

    @property
    def faults(self) -> tuple[str, ...]:
        """Sums that do not hold; there is never one, but for a mistake of ours."""
        of_terms = self.explained.faults if self.explained is not None else ()
        return (*of_terms, *(account.fault for account in self.accounts if account.fault))

    @property
    def adds_up(self) -> bool | None:
        """Whether all sums hold; None where no arithmetic was kept."""
        return None if self.explained is None else not self.faults


def explain(
    engine: Engine,
    sku: str,
    channel: str,
    location: str | None = None,
    at: datetime | None = None,
    rows: int = ROWS,
    most: int | None = None,
) -> Explanation:
    """Explain the number of a SKU on a channel.

    location    may be left out where there is only one, or only one that a rule serves
    at          None is now
    rows        newest events of each balance to name, at least 1
    most        events of a balance that are told apart by kind; one with more is told as a whole
    raises      NothingToExplain
    """
    with transaction(engine) as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        location = _location(connection, sku, channel, location, at)
        listing = explain_store.listing(connection, sku, channel, location)
        current = explain_store.current(connection, sku, channel, location)
        assert current is not None, "places are places of targets"
        kept = _kept(connection, sku, channel, location, at, current)
        explained = accounts = rules = None
        holders = _holders(connection, (channel, location), sku) if at is None else []
        if kept is not None:
            rules = dict(explain_store.rule_set(connection, kept.rule_version))
            source = store.source_of(connection, kept.rule_version)
            explained = explain_target(kept, read_stored(source).rules(), listing, holders)
            accounts = explain_store.accounts(connection, explained.read, rows, at, most)
        return Explanation(
            sku,
            channel,
            location,
            at,
            listing,
            kept,
            current,
            explained,
            rules,
            tuple(accounts or ()),
            shown_store.became(connection, sku, channel, location, at),
            _lag(connection, kept) if at is None else None,
            held_by(holders) if holders else "",
        )


def _location(
    connection: Connection, sku: str, channel: str, location: str | None, at: datetime | None
) -> str:
    """The place that is meant, or a sentence about what there is."""
    places = explain_store.places(connection, sku, channel, at)
    names = [name for name, _ in places]
    if not places:
        raise NothingToExplain(_missing(connection, sku, channel))
    if location is not None:
        if location not in names:
            raise NothingToExplain(
                f"{sku} has no number on {channel} at {location!r}; it has one at {', '.join(names)}"
            )
        return location
    served = [name for name, is_served in places if is_served]
    for meant in (names, served):
        if len(meant) == 1:
            return meant[0]
    raise NothingToExplain(
        f"{sku} has a number on {channel} at {', '.join(served or names)}: name one with --location"
    )


def _missing(connection: Connection, sku: str, channel: str) -> str:
    channels = explain_store.channels(connection)
    if channel not in channels:
        close = explain_store.close_to(channel, channels) or channels
        return f"there is no channel {channel!r}{_meant(close)}"
    if not explain_store.is_sku(connection, sku):
        return f"there is no SKU {sku!r}{_meant(explain_store.skus_like(connection, sku))}"
    return (
        f"{sku} has no number on {channel}: it is not listed there, or was not computed yet"
        f" (lockstep channel map {channel})"
    )


def _meant(close: list[str]) -> str:
    return f"; there is {', '.join(close)}" if close else ""


def _kept(
    connection: Connection,
    sku: str,
    channel: str,
    location: str,
    at: datetime | None,
    current: Current,
) -> Kept | None:
    """The target in force; None where its arithmetic was not kept."""
    kept = explain_store.kept(connection, sku, channel, location, at)
    if at is None:
        return kept if kept is not None and kept.units == current.units else None
    if kept is None:
        first = explain_store.first_kept_at(connection, sku, channel, location)
        said = f"the first one is of {first.isoformat()}" if first else "none was ever kept"
        raise NothingToExplain(
            f"no number of {sku} on {channel} at {location} is kept of that time: {said}"
        )
    return kept


def _holders(connection: Connection, place: tuple[str, str], sku: str) -> list[Holder]:
    """What a rise of the number of a place waits for; nothing where no number of the SKU is held."""
    if not holder_store.is_held(connection, sku=sku):
        return []
    _, rules = store.current_rules(connection)
    return holding(place, holder_store.holders(connection, [sku]), rules)


def _lag(connection: Connection, kept: Kept | None) -> Mapping[str, Any] | None:
    if kept is None or not any("threshold" in zone for zone in kept.terms.get("zones", ())):
        return None
    found = lag_store.known(connection).get(kept.channel)
    if found is None:
        return {"hear_s": None, "show_s": None, "assumed": list(STAGES)}
    return {"hear_s": found.hear_s, "show_s": found.show_s, "assumed": list(found.assumed)}
