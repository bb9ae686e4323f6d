"""Recounts that are ordered."""

from __future__ import annotations

from typing import Final

from console.views.listing import Listing

#: Those that no count has answered yet, by place; location, sku (or NULL).
RECOUNTS: Final = Listing(
    "location, sku, since, rule, object, missing, ordered_at, ordered_by, reason",
    "FROM count_open",
    """
    (CAST(:location AS text) IS NULL OR location = :location) AND (CAST(:sku AS text) IS NULL OR sku = :sku)
    """,
    (
        ("location", "text"),
        ("sku", "text"),
        ("since", "timestamptz"),
        ("rule", "text"),
        ("object", "text"),
    ),
    newest=False,
)
