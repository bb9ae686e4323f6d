"""When a partner's folder is looked into: one visit at a time, sooner when something waits, later after failures."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

#: A visit that is silent for so long has died; what it did not finish is done again.
LEASE_S = 300.0
_LONGEST_S = 300.0

DUE = text("""
    SELECT c.channel
    FROM channel AS c LEFT JOIN edi_mailbox AS m ON m.partner = c.channel
    WHERE c.kind = 'edi' AND NOT c.paused
      AND (m.leased_until IS NULL OR m.leased_until <= :now)
      AND (m.next_at IS NULL OR m.next_at <= :now
           OR (m.failures = 0
               AND EXISTS (SELECT FROM edi_interchange AS i
                           WHERE i.partner = c.channel AND i.state = 'posted' AND i.error = '')))
    ORDER BY c.channel
""")

_BEGIN = text("""
    INSERT INTO edi_mailbox AS m (partner, next_at, leased_until) VALUES (:partner, :now, :until)
    ON CONFLICT (partner) DO UPDATE SET leased_until = excluded.leased_until
        WHERE m.leased_until IS NULL OR m.leased_until <= :now
    RETURNING partner
""")

_END = text("""
    UPDATE edi_mailbox
    SET leased_until = NULL, seen_at = CASE WHEN :error = '' THEN CAST(:now AS timestamptz) ELSE seen_at END,
        failures = CASE WHEN :error = '' THEN 0 ELSE failures + 1 END, error = :error,
        next_at = CAST(:now AS timestamptz)
                + CASE WHEN :error = '' THEN CAST(:poll AS interval)
                       ELSE least(CAST(:poll AS interval) * power(2, least(failures, 10)), CAST(:longest AS interval))
                  END
    WHERE partner = :partner
""")

_UNSENT = text("""
    SELECT i.id, i.control, i.body, min(d.set_id) AS set_id
    FROM edi_interchange AS i LEFT JOIN edi_document AS d ON d.interchange_id = i.id
    WHERE i.partner = :partner AND i.state = 'posted'
    GROUP BY i.id
    ORDER BY i.serial
    LIMIT :most
""")

_SENT = text("""
    UPDATE edi_interchange SET state = 'sent', sent_at = :now, file = :file, error = ''
    WHERE id = :id AND state = 'posted'
""")

_NOT_SENT = text("UPDATE edi_interchange SET error = :error WHERE id = :id AND state = 'posted'")


def due(connection: Connection, now: datetime) -> list[str]:
    """Partners whose folder is to be looked into now."""
    return list(connection.execute(DUE, {"now": now}).scalars())


def begin(connection: Connection, partner: str, now: datetime) -> bool:
    """Begin a visit; False while another one goes on."""
    until = now + timedelta(seconds=LEASE_S)
    values = {"partner": partner, "now": now, "until": until}
    return connection.execute(_BEGIN, values).scalar_one_or_none() is not None


def end(
    connection: Connection, partner: str, now: datetime, poll: timedelta, error: str = ""
) -> None:
    """End a visit; after an error the next one comes later each time."""
    values = {
        "partner": partner,
        "now": now,
        "poll": poll,
        "error": error,
        "longest": max(poll, timedelta(seconds=_LONGEST_S)),
    }
    connection.execute(_END, values)


def unsent(connection: Connection, partner: str, *, most: int) -> list[tuple[int, str, str, bytes]]:
    """(id, ISA13, set, bytes) of interchanges to be sent, in the order of their numbers."""
    rows = connection.execute(_UNSENT, {"partner": partner, "most": most})
    return [(row.id, row.control, row.set_id or "TA1", bytes(row.body)) for row in rows]


def sent(connection: Connection, interchange: int, file: str, now: datetime) -> None:
    """Write down that an interchange lies in the partner's folder."""
    connection.execute(_SENT, {"id": interchange, "file": file, "now": now})


def not_sent(connection: Connection, interchange: int, error: str) -> None:
    """Write down why an interchange is not sent yet."""
    connection.execute(_NOT_SENT, {"id": interchange, "error": error})
