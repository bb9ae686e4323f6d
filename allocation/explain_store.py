"""What explains a number, read from PostgreSQL: the target as it was kept, the ledger behind it, what was shown of it.

Nothing here writes. `until` cuts what came later off; None is everything.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, text

from allocation import explain_long
from allocation.explaining import Account, Entry, Kept, Listing, Moved, Read

_PLACES = text("""
    SELECT t.location, coalesce((h.terms ->> 'rule')::boolean, false) AS served
    FROM target t
    LEFT JOIN LATERAL (
        SELECT terms FROM target_history h
        WHERE h.sku = t.sku AND h.channel = t.channel AND h.location = t.location
          AND (CAST(:until AS timestamptz) IS NULL OR h.set_at <= :until)
        ORDER BY h.number DESC LIMIT 1
    ) AS h ON true
    WHERE t.sku = :sku AND t.channel = :channel
    ORDER BY t.location
""")

_KEPT = text("""
    SELECT id, number, units, rule_version, set_at, terms FROM target_history
    WHERE sku = :sku AND channel = :channel AND location = :location
      AND (CAST(:until AS timestamptz) IS NULL OR set_at <= :until)
    ORDER BY number DESC LIMIT 1
""")

_FIRST = text("""
    SELECT set_at FROM target_history
    WHERE sku = :sku AND channel = :channel AND location = :location ORDER BY number LIMIT 1
""")

_TARGET = text("""
    SELECT t.units, t.number, t.set_at, d.since AS due_since
    FROM target t LEFT JOIN due d ON d.sku = t.sku
    WHERE t.sku = :sku AND t.channel = :channel AND t.location = :location
""")

_LISTING = text("""
    SELECT c.kind, b.sku IS NOT NULL AS bound, coalesce(b.read_only, at.kind = 'mirror') AS told,
           coalesce(b.pack, 1) AS pack, coalesce(b.item_id, '') AS item_id
    FROM channel c CROSS JOIN location at
    LEFT JOIN binding b ON b.channel = c.channel AND b.sku = :sku AND b.location = at.location
    WHERE c.channel = :channel AND at.location = :location
""")

_RULES = text("SELECT version, author, reason, applied_at FROM rule_set WHERE version = :version")

# A posting has two sides; each that is one of these balances is a leg. Up to the version read every posting is the
# target's, whenever it was written; after it, what was written by then.
_PLACE = """
    place AS MATERIALIZED (
        SELECT sku, location, version, place
        FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:versions AS bigint[]))
             WITH ORDINALITY AS given (sku, location, version, place)
    )
"""
_SIDE = """
    SELECT p.event_id, place.place, p.{side}_version <= place.version AS known,
           {sign}p.units AS units, p.{side}_after AS after, p.{side}_version AS version, place.version AS read,
           p.line > 1 AND EXISTS (
               SELECT FROM posting q WHERE q.event_id = p.event_id AND q.line < p.line AND q.sku = p.sku
               AND (place.location, 'available') IN ((q.to_location, q.to_state), (q.from_location, q.from_state))
           ) AS again
    FROM place JOIN posting p ON p.sku = place.sku AND p.{side}_location = place.location
    WHERE p.{side}_state = 'available'
      AND (p.{side}_version <= place.version OR CAST(:until AS timestamptz) IS NULL OR p.recorded_at <= :until)
"""
_LEGS = (
    f"({_SIDE.format(side='to', sign='')} UNION ALL {_SIDE.format(side='from', sign='-')}) AS leg"
)

# Summing a SKU of a hundred thousand postings on disk would take twice the time.
_ROOM = text("SELECT set_config('work_mem', '64MB', true)")

# Places by number and kinds by their bytes: comparing names a million times would take longer than all else.
_KINDS = text(f"""
    WITH {_PLACE}
    SELECT leg.place, leg.known, e.kind COLLATE "C" AS kind, sum(leg.units)::bigint AS units,
           count(*) FILTER (WHERE NOT leg.again) AS events
    FROM {_LEGS} JOIN event e ON e.id = leg.event_id
    GROUP BY leg.place, leg.known, e.kind COLLATE "C"
    ORDER BY leg.place, leg.known, abs(sum(leg.units)) DESC, e.kind COLLATE "C"
""")  # noqa: S608 -- composed of constants

# Versions count the postings of a balance, so the newest are known by their versions before anything is sorted.
_NEWEST = text(f"""
    WITH {_PLACE}, newest AS MATERIALIZED (
        SELECT leg.*, row_number() OVER (PARTITION BY place, known ORDER BY version DESC) AS back
        FROM {_LEGS} WHERE version > read - :rows
    )
    SELECT n.place, n.known, n.units, n.after, n.version, e.id::text AS event_id, e.kind, e.source,
           e.source_id, e.occurred_at, e.recorded_at, e.reference, e.reason
    FROM newest n JOIN event e ON e.id = n.event_id
    WHERE n.back <= :rows
    ORDER BY n.place, n.known, n.version DESC
""")  # noqa: S608 -- composed of constants

_LIKE = text("""
    SELECT sku FROM sku
    WHERE starts_with(lower(sku), left(lower(:name), :most)) OR reverse(lower(sku)) LIKE :ends
       OR (starts_with(lower(sku), left(lower(:name), :some)) AND reverse(lower(sku)) LIKE :tail)
    ORDER BY sku LIMIT 2000
""")


@dataclass(frozen=True, slots=True)
class Current:
    """The target as it stands, and since when its SKU waits to be computed again (None: it does not)."""

    units: int
    number: int
    set_at: datetime
    due_since: datetime | None


def places(
    connection: Connection, sku: str, channel: str, until: datetime | None
) -> list[tuple[str, bool]]:
    """(location, whether a rule served it) of a SKU on a channel."""
    given = {"sku": sku, "channel": channel, "until": until}
    return [(row.location, row.served) for row in connection.execute(_PLACES, given)]


def kept(
    connection: Connection, sku: str, channel: str, location: str, until: datetime | None
) -> Kept | None:
    """The target in force then; None where none is kept."""
    given = {"sku": sku, "channel": channel, "location": location, "until": until}
    row = connection.execute(_KEPT, given).mappings().one_or_none()
    if row is None:
        return None
    return Kept(sku=sku, channel=channel, location=location, **row)


def first_kept_at(connection: Connection, sku: str, channel: str, location: str) -> datetime | None:
    """When the first target was kept; None where none is."""
    given = {"sku": sku, "channel": channel, "location": location}
    found: datetime | None = connection.execute(_FIRST, given).scalar_one_or_none()
    return found


def current(connection: Connection, sku: str, channel: str, location: str) -> Current | None:
    """The target as it stands; None where there is none."""
    given = {"sku": sku, "channel": channel, "location": location}
    row = connection.execute(_TARGET, given).one_or_none()
    return None if row is None else Current(*row)


def listing(connection: Connection, sku: str, channel: str, location: str) -> Listing:
    """The place at the vendor, as it is bound now; one that is not was told where it is a mirror."""
    given = {"sku": sku, "channel": channel, "location": location}
    row = connection.execute(_LISTING, given).mappings().one_or_none()
    return Listing() if row is None else Listing(**row)


def rule_set(connection: Connection, version: int) -> RowMapping:
    """Who put a version of the rules in force, when and why."""
    return connection.execute(_RULES, {"version": version}).mappings().one()


def accounts(
    connection: Connection,
    read: Read,
    rows: int,
    until: datetime | None,
    most: int | None = None,
) -> list[Account]:
    """The ledger behind balances, in their order; those that never moved are left out.

    rows    newest events of each to name, at least 1
    most    events of a balance, and since, that are told apart by kind; more are told as a whole (`explain_long`)
    """
    often: dict[tuple[str, str], tuple[int, int]] = {}
    if most is not None:
        by_now = explain_long.versions(connection, read)
        often = {
            at: it
            for at, it in read.items()
            if it[1] > most or by_now.get(at, it[1]) - it[1] > most
        }
    seldom = {at: it for at, it in read.items() if at not in often}
    of_often = explain_long.accounts(connection, often, rows, until) if often else {}
    of_seldom = {(a.sku, a.location): a for a in _added_up(connection, seldom, rows, until)}
    found = of_often | of_seldom
    return [found[at] for at in read if at in found]


def _added_up(
    connection: Connection, read: Read, rows: int, until: datetime | None
) -> list[Account]:
    if not read:
        return []
    given = {
        "skus": [sku for sku, _ in read],
        "locations": [location for _, location in read],
        "versions": [version for _, version in read.values()],
        "until": until,
    }
    connection.execute(_ROOM)
    kinds: dict[tuple[int, bool], list[Moved]] = {}
    for row in connection.execute(_KINDS, given):
        moved = Moved(row.kind, row.units, row.events)
        kinds.setdefault((row.place, row.known), []).append(moved)
    newest: dict[tuple[int, bool], list[Entry]] = {}
    for named in connection.execute(_NEWEST, given | {"rows": rows}).mappings():
        said = dict(named)
        newest.setdefault((said.pop("place"), said.pop("known")), []).append(Entry(**said))
    return [
        Account(
            sku,
            location,
            units,
            version,
            tuple(kinds.get((place, True), ())),
            tuple(newest.get((place, True), ())),
            tuple(kinds.get((place, False), ())),
            tuple(newest.get((place, False), ())),
        )
        for place, ((sku, location), (units, version)) in enumerate(read.items(), start=1)
        if version or (place, False) in kinds
    ]


def channels(connection: Connection) -> list[str]:
    """The channels there are."""
    return list(connection.execute(text("SELECT channel FROM channel ORDER BY channel")).scalars())


def is_sku(connection: Connection, name: str) -> bool:
    """Whether there is such a SKU."""
    found = text("SELECT EXISTS (SELECT FROM sku WHERE sku = :name)")
    return bool(connection.execute(found, {"name": name}).scalar_one())


def skus_like(connection: Connection, name: str) -> list[str]:
    """Up to three SKUs whose names are close to one that there is not."""
    third = max(1, len(name) // 3)
    given = {
        "name": name,
        "most": max(1, len(name) - third),
        "some": third,
        "ends": _backwards(name[third:]),
        "tail": _backwards(name[-third:]),
    }
    return close_to(name, connection.execute(_LIKE, given).scalars().all())


def close_to(name: str, names: Collection[str] | Sequence[str]) -> list[str]:
    """Up to three names that are close to one, whatever their case, the closest first."""
    by_lower = {each.lower(): each for each in names}
    return [by_lower[each] for each in difflib.get_close_matches(name.lower(), by_lower)]


def _backwards(ending: str) -> str:
    """A pattern of names, read backwards, that end so."""
    said = ending.lower()[::-1]
    for sign in ("\\", "%", "_"):
        said = said.replace(sign, "\\" + sign)
    return said + "%"
