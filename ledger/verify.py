"""Proof of the book: every balance derived again from its postings, every seal from its events; the first bad
row is named.

In this order: each posting's own arithmetic; the chain of each place (a posting begins where the one before it
ended, versions without a gap); balances against their last posting; SKUs summing to zero over all places;
events against their seals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, text

from ledger.db import transaction
from ledger.seals import LEAVES, root_of

#: Findings reported at most; the first is what matters.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that is not what it should be.

    check    which proof failed
    row      the row, named by its key
    says     what is wrong with it
    """

    check: str
    row: str
    says: str


@dataclass(slots=True)
class Proof:
    """What `lockstep ledger verify` found."""

    events: int = 0
    postings: int = 0
    balances: int = 0
    seals: int = 0
    unsealed_events: int = 0
    newest_root: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing at all was found."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """The proof as the command prints it."""
        return {
            "clean": self.clean,
            "first_bad": asdict(self.findings[0]) if self.findings else None,
        } | asdict(self)


_COUNTS = text("""
    SELECT (SELECT count(*) FROM event) AS events, (SELECT count(*) FROM posting) AS postings,
           (SELECT count(*) FROM balance) AS balances, (SELECT count(*) FROM seal) AS seals,
           (SELECT count(*) FROM event WHERE seq > coalesce((SELECT max(last_seq) FROM seal), 0)) AS unsealed,
           coalesce((SELECT encode(root, 'hex') FROM seal ORDER BY number DESC LIMIT 1), '') AS root
""")

_ARITHMETIC = text("""
    SELECT p.event_id, p.line, p.sku, p.units, p.from_before, p.from_after, p.to_before, p.to_after,
           e.id IS NULL AS orphan
    FROM posting AS p LEFT JOIN event AS e ON e.id = p.event_id
    WHERE p.units <= 0 OR p.from_after <> p.from_before - p.units OR p.to_after <> p.to_before + p.units
       OR e.id IS NULL OR e.occurred_at <> p.occurred_at OR e.recorded_at <> p.recorded_at
    ORDER BY p.recorded_at, p.event_id, p.line
    LIMIT :shown
""")

_CHAIN = text("""
    WITH leg AS (
        SELECT event_id, line, sku, from_location AS location, from_state AS state,
               from_before AS before, from_after AS after, from_version AS version, recorded_at
        FROM posting
        UNION ALL
        SELECT event_id, line, sku, to_location, to_state, to_before, to_after, to_version, recorded_at
        FROM posting
    ), linked AS (
        SELECT leg.*,
               lag(after, 1, 0::bigint) OVER place AS before_should_be,
               lag(version, 1, 0::bigint) OVER place + 1 AS version_should_be,
               lag(event_id) OVER place AS previous_event, lag(line) OVER place AS previous_line
        FROM leg
        WINDOW place AS (PARTITION BY sku, location, state ORDER BY version, recorded_at, event_id, line)
    )
    SELECT event_id, line, sku, location, state, before, before_should_be, version, version_should_be,
           previous_event, previous_line
    FROM linked
    WHERE before <> before_should_be OR version <> version_should_be
    ORDER BY recorded_at, event_id, line
    LIMIT :shown
""")

_BALANCES = text("""
    WITH leg AS (
        SELECT event_id, line, sku, from_location AS location, from_state AS state,
               from_before AS before, from_after AS after, from_version AS version, recorded_at
        FROM posting
        UNION ALL
        SELECT event_id, line, sku, to_location, to_state, to_before, to_after, to_version, recorded_at
        FROM posting
    ), last AS (
        SELECT DISTINCT ON (sku, location, state) sku, location, state, after, version
        FROM leg ORDER BY sku, location, state, version DESC
    )
    SELECT coalesce(b.sku, last.sku) AS sku, coalesce(b.location, last.location) AS location,
           coalesce(b.state, last.state) AS state, b.units, b.version, last.after, last.version AS last_version
    FROM balance AS b FULL JOIN last ON last.sku = b.sku AND last.location = b.location AND last.state = b.state
    WHERE b.units IS DISTINCT FROM coalesce(last.after, 0) OR b.version IS DISTINCT FROM coalesce(last.version, 0)
    ORDER BY 1, 2, 3
    LIMIT :shown
""")

_CONSERVED = text("""
    SELECT sku, sum(units) AS units FROM balance GROUP BY sku HAVING sum(units) <> 0 ORDER BY sku LIMIT :shown
""")

_SEALS = text(
    "SELECT number, first_seq, last_seq, events, leaves, previous, root FROM seal ORDER BY number"
)
_LEAVES = text(LEAVES)


def verify(engine: Engine) -> Proof:
    """Prove the book as one snapshot sees it, whatever is being written meanwhile."""
    with transaction(engine) as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(text("SET LOCAL statement_timeout = '30min'"))
        counts = connection.execute(_COUNTS).one()
        proof = Proof(*counts)
        for check in (_arithmetic, _chain, _balances, _conserved, _sealed):
            proof.findings.extend(check(connection))
            if len(proof.findings) >= SHOWN:
                break
    return proof


def _arithmetic(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(_ARITHMETIC, {"shown": SHOWN}):
        if row.orphan:
            says = "belongs to no event"
        else:
            says = (
                f"does not add up or differs from its event: {row.units} units of {row.sku} take the source from"
                f" {row.from_before} to {row.from_after} and the destination from {row.to_before} to {row.to_after}"
            )
        yield Finding("arithmetic", _posting(row.event_id, row.line), says)


def _chain(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(_CHAIN, {"shown": SHOWN}):
        before = (
            f" after {_posting(row.previous_event, row.previous_line)}"
            if row.previous_event
            else " as the first"
        )
        yield Finding(
            "chain",
            _posting(row.event_id, row.line),
            f"{row.sku} {row.state} at {row.location} should begin at {row.before_should_be} with version"
            f" {row.version_should_be}{before}, and begins at {row.before} with version {row.version}",
        )


def _balances(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(_BALANCES, {"shown": SHOWN}):
        yield Finding(
            "balance",
            f"balance {row.sku} {row.state} at {row.location}",
            f"holds {row.units} at version {row.version}; its postings end at {row.after or 0}"
            f" with version {row.last_version or 0}",
        )


def _conserved(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(_CONSERVED, {"shown": SHOWN}):
        yield Finding(
            "conservation", f"SKU {row.sku}", f"sums to {row.units} over all places instead of 0"
        )


def _sealed(connection: Connection) -> Iterator[Finding]:
    previous = bytes(32)
    for number, row in enumerate(connection.execute(_SEALS).all(), start=1):
        leaves, root = bytes(row.leaves), bytes(row.root)
        if (
            row.number != number
            or bytes(row.previous) != previous
            or root_of(previous, leaves) != root
        ):
            yield Finding("seal", f"seal {row.number}", "does not follow from the seal before it")
        yield from _events_of(connection, row.number, row.first_seq, row.last_seq, leaves)
        previous = root


def _events_of(
    connection: Connection, number: int, first: int, last: int, leaves: bytes
) -> Iterator[Finding]:
    """Compare the events of a sealed range with their leaves; the first that differs is named."""
    rows = connection.execute(
        _LEAVES, {"after": first - 1, "last": last, "rows": len(leaves) // 32 + 1}
    ).all()
    kept = [leaves[i : i + 32] for i in range(0, len(leaves), 32)]
    for position, row in enumerate(rows):
        if position >= len(kept) or bytes(row.leaf) != kept[position]:
            says = (
                f"is not what seal {number} was made over (its text or one of its postings was changed,"
                " or an event before it was removed or added)"
            )
            yield Finding("seal", f"event {row.id} (seq {row.seq})", says)
            return
    if len(rows) < len(kept):
        yield Finding(
            "seal", f"seal {number}", f"was made over {len(kept)} events, {len(rows)} are left"
        )


def _posting(event_id: object, line: int) -> str:
    return f"posting {event_id} line {line}"
