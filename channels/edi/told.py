"""What each 846 told a partner of each item and place, and what the newest one it acknowledged told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

_TELL = text("""
    INSERT INTO edi_availability (partner, item_id, vendor_location_id, said_units, said_in, said_at)
    SELECT :partner, item, place, units, document, :now
    FROM json_to_recordset(CAST(:rows AS json)) AS given (item text, place text, units bigint, document bigint)
    ORDER BY item, place
    ON CONFLICT (partner, item_id, vendor_location_id) DO UPDATE SET
        said_units = excluded.said_units, said_in = excluded.said_in, said_at = excluded.said_at
""")

_REMEMBER = text("""
    INSERT INTO edi_superseded (document, item_id, vendor_location_id, units)
    SELECT a.said_in, a.item_id, a.vendor_location_id, a.said_units
    FROM json_to_recordset(CAST(:rows AS json)) AS given (item text, place text)
    JOIN edi_availability AS a
      ON a.partner = :partner AND a.item_id = given.item AND a.vendor_location_id = given.place
    JOIN edi_document AS d ON d.id = a.said_in
    WHERE d.ack_state IN ('waiting', 'overdue')
    ORDER BY a.said_in, a.item_id, a.vendor_location_id
""")

_LEARN = text("""
    UPDATE edi_availability SET known_units = said_units, known_in = said_in, known_at = :now
    WHERE said_in = ANY(CAST(:documents AS bigint[]))
""")

_LEARN_LATE = text("""
    UPDATE edi_availability AS a SET known_units = late.units, known_in = late.document, known_at = :now
    FROM (SELECT DISTINCT ON (d.partner, s.item_id, s.vendor_location_id)
                 d.partner, s.item_id, s.vendor_location_id, s.units, s.document
          FROM edi_superseded AS s JOIN edi_document AS d ON d.id = s.document
          WHERE s.document = ANY(CAST(:documents AS bigint[]))
          ORDER BY d.partner, s.item_id, s.vendor_location_id, s.document DESC) AS late
    WHERE a.partner = late.partner AND a.item_id = late.item_id
      AND a.vendor_location_id = late.vendor_location_id
      AND (a.known_in IS NULL OR a.known_in < late.document)
""")

_FORGET = text("DELETE FROM edi_superseded WHERE document = ANY(CAST(:documents AS bigint[]))")

_KNOWN = text("""
    SELECT a.item_id, a.vendor_location_id, a.said_units, a.known_units, a.known_at, d.ack_state
    FROM edi_availability AS a
    JOIN json_to_recordset(CAST(:places AS json)) AS given (item text, place text)
      ON given.item = a.item_id AND given.place = a.vendor_location_id
    JOIN edi_document AS d ON d.id = a.said_in
    WHERE a.partner = :partner
""")


@dataclass(frozen=True, slots=True)
class Told:
    """What was said to be available; `document` is the set that says so."""

    item: str
    place: str
    units: int
    document: int


@dataclass(frozen=True, slots=True)
class Known:
    """What a partner may believe of an item at a place.

    said        by the newest 846, whatever became of it
    ack_state   of that 846
    known       by the newest 846 that it acknowledged, None before the first
    """

    said: int
    ack_state: str
    known: int | None
    known_at: datetime | None

    @property
    def believed(self) -> int | None:
        """None while nobody can know: the newest 846 is on its way, or none was ever acknowledged."""
        return None if self.ack_state == "waiting" else self.known


def tell(connection: Connection, partner: str, rows: Sequence[Told], *, now: datetime) -> None:
    """Write down what an 846 tells; what it replaces stays known by its document until the 997 of that one comes."""
    given = [
        {"item": row.item, "place": row.place, "units": row.units, "document": row.document}
        for row in rows
    ]
    given_rows = {"partner": partner, "rows": orjson.dumps(given).decode()}
    connection.execute(_REMEMBER, given_rows)
    connection.execute(_TELL, {**given_rows, "now": now})


def learn(connection: Connection, documents: Collection[int], *, now: datetime) -> None:
    """These documents were acknowledged: what the newest 846 among them said is known now.

    Of an older one too, whose successor may never arrive; never over what a newer one made known.
    """
    if documents:
        values = {"documents": sorted(documents), "now": now}
        connection.execute(_LEARN, values)
        connection.execute(_LEARN_LATE, values)
        connection.execute(_FORGET, {"documents": values["documents"]})


def known(
    connection: Connection, partner: str, places: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Known]:
    """What the partner may believe of each (item, place) that was ever told."""
    given = [{"item": item, "place": place} for item, place in sorted(places)]
    rows = connection.execute(_KNOWN, {"partner": partner, "places": orjson.dumps(given).decode()})
    return {
        (row.item_id, row.vendor_location_id): Known(
            row.said_units, row.ack_state, row.known_units, row.known_at
        )
        for row in rows
    }
