"""What rules that are not in force yet are compared with, and the gate through which versions come one at a time."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

_GATE = 7_305_200_131

_CLOSE = text("SELECT pg_advisory_xact_lock(:gate)")

_READ_ONLY = text("SET TRANSACTION READ ONLY")

SKUS = text("""
    SELECT sku FROM sku
    WHERE sku > :after AND sku LIKE :like
    ORDER BY sku LIMIT :limit
""")

TARGETS = text("""
    SELECT channel, sku, location, units
    FROM target
    WHERE sku = ANY(CAST(:skus AS text[]))
    ORDER BY channel, sku, location
""")

# The first of its listings is looked up by key; EXISTS may read all of them for a channel that has none.
LISTED = text("""
    SELECT channel.channel
    FROM channel CROSS JOIN LATERAL (
        SELECT FROM binding WHERE binding.channel = channel.channel ORDER BY sku, location LIMIT 1
    ) AS listing
    ORDER BY channel.channel
""")

_DUE = text("SELECT count(*) FROM due")


def close_gate(connection: Connection) -> None:
    """Let no other version come into force until this transaction ends; taken before any row."""
    connection.execute(_CLOSE, {"gate": _GATE})


def only_read(connection: Connection) -> None:
    """Refuse every write of this transaction, which must not have read anything yet."""
    connection.execute(_READ_ONLY)


def skus_after(connection: Connection, after: str, pattern: str, limit: int) -> list[str]:
    """The next SKUs that fit a pattern, in which `*` stands for any run of characters; "" begins with the first."""
    values = {"after": after, "like": _like(pattern), "limit": limit}
    return [row.sku for row in connection.execute(SKUS, values)]


def _like(pattern: str) -> str:
    for letter in "\\%_":
        pattern = pattern.replace(letter, f"\\{letter}")
    return pattern.replace("*", "%")


def stored_targets(connection: Connection, skus: Sequence[str]) -> dict[tuple[str, str, str], int]:
    """(channel, SKU, location) -> the target in force."""
    rows = connection.execute(TARGETS, {"skus": list(skus)})
    return {(row.channel, row.sku, row.location): row.units for row in rows}


def listed_channels(connection: Connection) -> set[str]:
    """The channels on which anything is listed."""
    return {row.channel for row in connection.execute(LISTED)}


def skus_due(connection: Connection) -> int:
    """SKUs whose targets are still to be computed with the rules in force."""
    return int(connection.execute(_DUE).scalar_one())
