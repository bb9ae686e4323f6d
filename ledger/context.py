"""What the book knows of everything a batch of facts names, read in a handful of statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
from sqlalchemy import Connection, TextClause, text

from ledger import expecting, memory, postings
from ledger.digest import FactKey, Known, LineKey, Written
from ledger.events import AnyFact, Reversal
from ledger.postings import OrderLine
from ledger.types import Move

_SKUS = text("SELECT sku FROM sku WHERE sku = ANY(CAST(:skus AS text[]))")

_LOCATIONS = text("SELECT location FROM location WHERE location <> 'OUTSIDE'")

_LINES = text("""
    SELECT l.channel, l.order_id, l.line_id, l.sku, l.location, l.revision,
           l.ordered_units, l.cancelled_units, l.shipped_units
    FROM order_line AS l
    JOIN json_to_recordset(CAST(:keys AS json)) AS given (channel text, order_id text, line_id text)
      ON given.channel = l.channel AND given.order_id = l.order_id AND given.line_id = l.line_id
    ORDER BY l.channel, l.order_id, l.line_id
    FOR UPDATE OF l
""")

_LINES_AS_THEY_ARE = text(_LINES.text.replace("FOR UPDATE OF l", ""))

_EVENTS = text("""
    SELECT e.source, e.source_id
    FROM event AS e
    JOIN json_to_recordset(CAST(:names AS json)) AS given (source text, source_id text)
      ON given.source = e.source AND given.source_id = e.source_id
""")

_REVERSIBLE = text("""
    SELECT e.id, e.source, e.source_id, e.kind, e.reference, e.channel, e.order_id, e.line_id,
           EXISTS (SELECT FROM event AS r WHERE r.reverses = e.id) AS reversed,
           p.sku, p.from_location, p.from_state, p.to_location, p.to_state, p.units
    FROM event AS e
    JOIN json_to_recordset(CAST(:names AS json)) AS given (source text, source_id text)
      ON given.source = e.source AND given.source_id = e.source_id
    LEFT JOIN posting AS p ON p.event_id = e.id
    ORDER BY e.seq, p.line
""")


class Catalogue:
    """The SKUs and locations this process has seen in the database; they are added to, never taken away."""

    def __init__(self) -> None:
        self._skus: set[str] = set()
        self._locations: set[str] = set()

    def skus(self, connection: Connection, named: set[str]) -> set[str]:
        """Those of `named` that exist, and maybe others."""
        missing = named - self._skus
        if missing:
            found = connection.execute(_SKUS, {"skus": sorted(missing)}).scalars()
            self._skus.update(found)
        return self._skus

    def locations(self, connection: Connection, named: set[str]) -> set[str]:
        """Those of `named` that exist, and maybe others."""
        if named - self._locations:
            self._locations.update(connection.execute(_LOCATIONS).scalars())
        return self._locations


def known(
    connection: Connection, facts: Sequence[AnyFact], catalogue: Catalogue, *, hold: bool = True
) -> Known:
    """Read what the book knows of these facts; what it remembers of them stays locked for this transaction.

    hold    False when nothing will be written: then nothing is locked
    """
    places = [postings.named_places(fact) for fact in facts]
    reversals = [fact for fact in facts if isinstance(fact, Reversal)]
    written = _reversible(connection, reversals)
    keys = {key for fact in facts if (key := postings.order_line_key(fact))}
    keys |= {event.line for event in written.values() if event.line}
    supply = {named for fact in facts if (named := expecting.supply_key(fact))}
    supply |= {event.supply for event in written.values() if event.supply}
    requests = {asked for fact in facts if (asked := expecting.request_key(fact))}
    return Known(
        skus=catalogue.skus(connection, {sku for sku, _ in places if sku is not None}),
        locations=catalogue.locations(
            connection, {place for _, place in places if place is not None}
        ),
        lines=_lines(connection, keys, _LINES if hold else _LINES_AS_THEY_ARE),
        events=_written(connection, facts) | written,
        supply=memory.supply(connection, supply),
        requests=memory.requests(connection, requests),
    )


def _lines(
    connection: Connection, keys: Iterable[LineKey], statement: TextClause
) -> dict[LineKey, OrderLine]:
    wanted = sorted(keys)
    if not wanted:
        return {}
    given = [{"channel": key[0], "order_id": key[1], "line_id": key[2]} for key in wanted]
    rows = connection.execute(statement, {"keys": orjson.dumps(given).decode()})
    return {
        (channel, order_id, line_id): OrderLine(
            sku, location, revision, ordered_units, cancelled_units, shipped_units
        )
        for channel, order_id, line_id, sku, location, revision, ordered_units, cancelled_units, shipped_units in rows
    }


def _written(connection: Connection, facts: Sequence[AnyFact]) -> dict[FactKey, Written]:
    """Facts of the batch that are in the book already; nothing is known of them but that."""
    given = [{"source": fact.source, "source_id": fact.id} for fact in facts]
    rows = connection.execute(_EVENTS, {"names": orjson.dumps(given).decode()})
    return {(row.source, row.source_id): Written(None, "", (), None, False) for row in rows}


def _reversible(connection: Connection, reversals: Sequence[Reversal]) -> dict[FactKey, Written]:
    """The events that reversals name, with their moves."""
    if not reversals:
        return {}
    # Each name once: a reversal that comes twice in a batch would else double the moves of the event it undoes.
    names = sorted({(fact.reverses_source, fact.reverses_id) for fact in reversals})
    given = [{"source": source, "source_id": source_id} for source, source_id in names]
    rows = connection.execute(_REVERSIBLE, {"names": orjson.dumps(given).decode()})
    events: dict[FactKey, Written] = {}
    for row in rows:
        name = (row.source, row.source_id)
        known_moves = events[name].moves if name in events else ()
        move = (
            (
                Move(
                    row.sku,
                    row.from_location,
                    row.from_state,
                    row.to_location,
                    row.to_state,
                    row.units,
                ),
            )
            if row.sku is not None
            else ()
        )
        line = (
            (row.channel, row.order_id, row.line_id)
            if row.channel and row.order_id and row.line_id
            else None
        )
        moves = known_moves + move
        supply = expecting.supplied(row.kind, row.reference, moves)
        events[name] = Written(row.id, row.kind, moves, line, row.reversed, supply)
    return events
