"""Events that may be refused: read balances, decide, write only if they are still what was decided on.

Optimistic first: a writer whose balances moved reads and decides again. After a few lost races it decides holding
the rows, so that every writer gets through however many there are (a version is a fence, not a lock for a hot SKU:
eight writers with versions alone retried four times a commit).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection, Engine, TextClause, text

from ledger import store
from ledger.db import transaction
from ledger.digest import Entry
from ledger.store import Entropy, VersionMoved
from ledger.types import Place

#: Races a writer may lose before it holds the rows.
TRIES = 4


@dataclass(frozen=True, slots=True)
class Held:
    """A balance as read; a place nothing ever touched holds 0 at version 0."""

    units: int
    version: int


Decision: TypeAlias = Callable[[Mapping[Place, Held]], Sequence[Entry]]

_READ = """
    SELECT b.sku, b.location, b.state, b.units, b.version
    FROM balance AS b
    JOIN unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:states AS text[]))
         AS given (sku, location, state)
      ON given.sku = b.sku AND given.location = b.location AND given.state = b.state
    ORDER BY b.sku, b.location, b.state
"""
_LOOK = text(_READ)
_HOLD = text(_READ + " FOR UPDATE OF b")

# A balance that does not exist yet cannot be held: it is made first.
_MAKE = text("""
    INSERT INTO balance (sku, location, state)
    SELECT sku, location, state
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:states AS text[]))
         AS given (sku, location, state)
    ORDER BY sku, location, state
    ON CONFLICT (sku, location, state) DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision.

    ids      of the events written, in order
    races    lost before it went through, at most TRIES
    """

    ids: list[UUID]
    races: int


def decide(
    engine: Engine, places: Sequence[Place], decision: Decision, *, now: datetime, entropy: Entropy
) -> Decided:
    """Write what `decision` makes of these balances, as of the moment it is written.

    decision   pure; called again with fresh balances after a lost race. What it raises ends the attempt, and nothing is
               written: that is how an event is refused
    """
    for races in range(TRIES):
        with transaction(engine) as connection:
            held = _read(connection, _LOOK, places)
        entries = decision(held)
        try:
            with transaction(engine) as connection:
                versions = {place: balance.version for place, balance in held.items()}
                ids = store.append(
                    connection, entries, now=now, entropy=entropy, decided_on=versions
                )
            return Decided(ids, races)
        except VersionMoved:
            continue
    with transaction(engine) as connection:
        entries = decision(hold(connection, places))
        return Decided(store.append(connection, entries, now=now, entropy=entropy), TRIES)


def hold(connection: Connection, places: Sequence[Place]) -> dict[Place, Held]:
    """Balances, locked until this transaction ends: for a caller who decides and writes in one transaction.

    Take the writers' gate first (`store.enter`), so that nobody who waits for these rows holds what we ask for next.
    """
    connection.execute(_MAKE, _keys(places))
    return _read(connection, _HOLD, places)


def _read(
    connection: Connection, statement: TextClause, places: Sequence[Place]
) -> dict[Place, Held]:
    found = connection.execute(statement, _keys(places))
    held = {Place(r.sku, r.location, r.state): Held(r.units, r.version) for r in found}
    return {place: held.get(place, Held(0, 0)) for place in places}


def _keys(places: Sequence[Place]) -> dict[str, list[str]]:
    ordered = sorted(set(places))
    return {
        "skus": [place.sku for place in ordered],
        "locations": [place.location for place in ordered],
        "states": [place.state for place in ordered],
    }
