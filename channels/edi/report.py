"""What people ask of a partner's documents: how each partner stands, what is wrong, what was exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_PARTNERS = text("""
    SELECT c.channel AS partner, m.seen_at, m.next_at, coalesce(m.error, '') AS error,
           (SELECT count(*) FROM inbox AS n WHERE n.source = c.channel AND n.topic = 'x12' AND n.state = 'pending')
               AS pending,
           (SELECT count(*) FROM edi_interchange AS i WHERE i.partner = c.channel AND i.state = 'posted') AS unsent,
           (SELECT count(*) FROM edi_interchange AS i WHERE i.partner = c.channel AND i.state = 'refused') AS refused,
           coalesce(d.waiting, 0) AS waiting, coalesce(d.overdue, 0) AS overdue, coalesce(d.rejected, 0) AS rejected,
           coalesce(d.held, 0) AS held, coalesce(d.parked, 0) AS parked, coalesce(d.unanswered, 0) AS unanswered,
           coalesce(o.backordered, 0) AS backordered, coalesce(s.to_notice, 0) AS to_notice
    FROM channel AS c
    LEFT JOIN edi_mailbox AS m ON m.partner = c.channel
    LEFT JOIN (
        SELECT partner,
               count(*) FILTER (WHERE ack_state = 'waiting') AS waiting,
               count(*) FILTER (WHERE ack_state = 'overdue') AS overdue,
               count(*) FILTER (WHERE ack_state = 'rejected') AS rejected,
               count(*) FILTER (WHERE state = 'held') AS held,
               count(*) FILTER (WHERE state = 'parked') AS parked,
               count(*) FILTER (WHERE state IN ('held', 'parked') AND due_at <= :now) AS unanswered
        FROM edi_document GROUP BY partner
    ) AS d ON d.partner = c.channel
    LEFT JOIN (
        SELECT partner, count(*) AS backordered FROM edi_line WHERE backordered > 0 GROUP BY partner
    ) AS o ON o.partner = c.channel
    LEFT JOIN (
        SELECT l.partner, count(DISTINCT (l.number, l.release)) AS to_notice
        FROM edi_line AS l
        CROSS JOIN LATERAL jsonb_to_recordset(l.parts) AS part (sku text, units bigint)
        JOIN order_line AS shipped
          ON shipped.channel = l.partner
         AND shipped.order_id = CASE WHEN l.release = '' THEN l.number ELSE l.number || '/' || l.release END
         AND shipped.line_id = l.line || CASE WHEN l.store = '' THEN '' ELSE '@' || l.store END
                             || CASE WHEN jsonb_array_length(l.parts) = 1 THEN '' ELSE '#' || part.sku END
        WHERE shipped.shipped_units > l.noticed * part.units
        GROUP BY l.partner
    ) AS s ON s.partner = c.channel
    WHERE c.kind = 'edi'
    ORDER BY c.channel
""")

_DOCUMENTS = text("""
    SELECT d.id, d.made_at, d.partner, d.direction, d.set_id, i.control, d.order_number, d.release, d.sequence,
           d.reference, d.state, d.ack_state, d.due_at, d.answers, d.error
    FROM edi_document AS d JOIN edi_interchange AS i ON i.id = d.interchange_id
    WHERE (CAST(:partner AS text) IS NULL OR d.partner = :partner)
      AND (CAST(:number AS text) IS NULL OR d.order_number = :number)
      AND (NOT :trouble OR d.ack_state IN ('rejected', 'overdue') OR d.state IN ('held', 'parked', 'rejected'))
    ORDER BY d.id DESC
    LIMIT :most
""")

_REFUSED = text("""
    SELECT i.made_at, i.partner, i.file, i.control, i.error
    FROM edi_interchange AS i
    WHERE i.state = 'refused' AND (CAST(:partner AS text) IS NULL OR i.partner = :partner)
    ORDER BY i.id DESC
    LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class PartnerReport:
    """How a partner stands.

    seen_at       when its folder was last looked into without an error; `error` of the last visit else
    pending       interchanges that wait to be worked;  unsent  that wait to be sent;  refused  that were not taken
    waiting       documents whose 997 is still in time;  overdue, rejected  those that need somebody
    held          changes that wait for an earlier document;  parked  documents that wait for a person
    unanswered    held or parked ones that should have been answered by now
    backordered   lines;  to_notice  orders of which more has gone than ship notices told
    """

    partner: str
    seen_at: datetime | None
    next_at: datetime | None
    error: str
    pending: int
    unsent: int
    refused: int
    waiting: int
    overdue: int
    rejected: int
    held: int
    parked: int
    unanswered: int
    backordered: int
    to_notice: int

    @property
    def is_in_trouble(self) -> bool:
        """Whether somebody should look."""
        return bool(self.error or self.overdue or self.rejected or self.parked or self.unanswered)


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """One set that went out or came in; `control` is ISA13."""

    id: int
    made_at: datetime
    partner: str
    direction: str
    set_id: str
    control: str
    order_number: str
    release: str
    sequence: int
    reference: str
    state: str
    ack_state: str
    due_at: datetime | None
    answers: int | None
    error: str


@dataclass(frozen=True, slots=True)
class RefusedReport:
    """What came and was not taken."""

    made_at: datetime
    partner: str
    file: str
    control: str
    error: str


def partners(connection: Connection, *, now: datetime) -> list[PartnerReport]:
    """How every partner stands."""
    return [PartnerReport(*row) for row in connection.execute(_PARTNERS, {"now": now})]


def documents(
    connection: Connection,
    *,
    partner: str | None = None,
    number: str | None = None,
    trouble: bool = False,
    most: int = 50,
) -> list[DocumentReport]:
    """Documents, newest first.

    number     of a purchase order
    trouble    only those that need somebody, or wait
    """
    values = {"partner": partner, "number": number, "trouble": trouble, "most": most}
    return [DocumentReport(*row) for row in connection.execute(_DOCUMENTS, values)]


def refused(
    connection: Connection, *, partner: str | None = None, most: int = 50
) -> list[RefusedReport]:
    """What was not taken, newest first."""
    values = {"partner": partner, "most": most}
    return [RefusedReport(*row) for row in connection.execute(_REFUSED, values)]
