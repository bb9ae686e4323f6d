"""Acknowledgements that we wait for: what a partner's 997 or TA1 says of what we sent, and what it left unsaid."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from channels.edi import trouble

_ACKNOWLEDGE = text("""
    UPDATE edi_document SET ack_state = :ack_state, acked_at = :now, error = :error
    WHERE partner = :partner AND direction = 'out' AND group_control = :group_control AND group_kind = :group_kind
      AND (CAST(:set_control AS text) IS NULL OR ltrim(set_control, '0') = :set_control)
      AND (ack_state IN ('waiting', 'overdue') OR (ack_state = 'rejected' AND CAST(:set_control AS text) IS NOT NULL))
    RETURNING id
""")

_EVER_SENT = text("""
    SELECT EXISTS (SELECT FROM edi_document
                   WHERE partner = :partner AND direction = 'out' AND group_control = :group_control
                     AND group_kind = :group_kind)
""")

_SENT_AS = text("""
    SELECT d.group_kind, d.group_control, d.set_control
    FROM edi_interchange AS i JOIN edi_document AS d ON d.interchange_id = i.id
    WHERE i.partner = :partner AND i.direction = 'out' AND i.control = :control
      AND d.ack_state IN ('waiting', 'overdue')
    ORDER BY d.id
""")

_OVERDUE = text("""
    UPDATE edi_document SET ack_state = 'overdue',
           error = 'no 997 came by ' || due_at || '; ask the partner, then resend it'
    WHERE ack_state = 'waiting' AND due_at <= :now
    RETURNING id, partner
""")


def acknowledge(
    connection: Connection,
    partner: str,
    group: tuple[str, str],
    set_control: str | None,
    ack_state: str,
    why: str,
    *,
    now: datetime,
) -> list[int]:
    """Book what a 997 says of a set, or of a whole group; returns our documents that it concerns.

    group    GS01 and GS06, as acknowledged
    """
    values = {
        "partner": partner,
        "group_kind": group[0],
        "group_control": group[1].lstrip("0"),
        "set_control": None if set_control is None else set_control.lstrip("0"),
        "ack_state": ack_state,
        "error": why,
        "now": now,
    }
    concerned = list(connection.execute(_ACKNOWLEDGE, values).scalars())
    if ack_state == "rejected":
        trouble.note(connection, concerned, now)
    return concerned


def ever_sent(connection: Connection, partner: str, group: tuple[str, str]) -> bool:
    """Whether a group (GS01, GS06) was ever sent to the partner."""
    values = {"partner": partner, "group_kind": group[0], "group_control": group[1].lstrip("0")}
    return bool(connection.execute(_EVER_SENT, values).scalar_one())


def reject_interchange(
    connection: Connection, partner: str, control: str, why: str, *, now: datetime
) -> list[int]:
    """Book that a TA1 rejects an interchange of ours whole."""
    found = connection.execute(
        _SENT_AS, {"partner": partner, "control": control.lstrip("0").zfill(9)}
    ).all()
    concerned: list[int] = []
    for row in found:
        group = (row.group_kind, row.group_control)
        concerned += acknowledge(
            connection, partner, group, row.set_control, "rejected", why, now=now
        )
    return concerned


def find_overdue(connection: Connection, *, now: datetime) -> list[tuple[int, str]]:
    """Mark what should have been acknowledged by now; (document, partner) of each that is marked anew."""
    found = [(row.id, row.partner) for row in connection.execute(_OVERDUE, {"now": now})]
    trouble.note(connection, [document for document, _ in found], now)
    return found
