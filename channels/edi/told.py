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

_LEARN = text("""
    UPDATE edi_availability SET known_units = said_units, known_at = :now
    WHERE said_in = ANY(CAST(:documents AS bigint[]))
""")

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
    """Write down what an 846 tells."""
    given = [
        {"item": row.item, "place": row.place, "units": row.units, "document": row.document}
        for row in rows
    ]
    connection.execute(
        _TELL, {"partner": partner, "rows": orjson.dumps(given).decode(), "now": now}
    )


def learn(connection: Connection, documents: Collection[int], *, now: datetime) -> None:
    """These documents were acknowledged: what the 846 among them said is known now, if none says it anew."""
    if documents:
        connection.execute(_LEARN, {"documents": sorted(documents), "now": now})


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
