"""The SKUs and locations of the house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

_SKUS = text("""
    INSERT INTO sku (sku, title)
    SELECT sku, title FROM unnest(CAST(:skus AS text[]), CAST(:titles AS text[])) AS given (sku, title) ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET title = excluded.title WHERE excluded.title <> '' AND sku.title <> excluded.title
""")

_LOCATIONS = text("""
    INSERT INTO location (location, title, kind)
    SELECT location, title, kind
    FROM unnest(CAST(:locations AS text[]), CAST(:titles AS text[]), CAST(:kinds AS text[]))
         AS given (location, title, kind)
    ORDER BY location
    ON CONFLICT (location) DO NOTHING
""")


def add_skus(connection: Connection, titles: Mapping[str, str]) -> None:
    """Make these SKUs known, with their titles ("" leaves a known title as it is)."""
    skus = sorted(titles)
    connection.execute(_SKUS, {"skus": skus, "titles": [titles[sku] for sku in skus]})


def add_locations(
    connection: Connection, locations: Sequence[str], *, kind: str = "warehouse"
) -> None:
    """Make these locations known; a known one keeps its kind."""
    connection.execute(
        _LOCATIONS,
        {
            "locations": list(locations),
            "titles": list(locations),
            "kinds": [kind] * len(locations),
        },
    )
