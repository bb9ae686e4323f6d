"""Facts into the book in a transaction of the caller's, as the drain writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from allocation import pace_store
from ledger import context, inbox, store
from ledger.digest import digest
from ledger.events import AnyFact
from workers.flows.ingest import House


class NotBooked(Exception):
    """The book does not take a fact; the message says why and what to do."""


def book(
    connection: Connection,
    house: House,
    facts: Sequence[AnyFact],
    *,
    now: datetime,
    inbox_id: int | None = None,
) -> int:
    """Write facts, all or none; how many changed something.

    inbox_id    the delivery that they came with, None where nothing came in
    raises      NotBooked when one of them cannot be taken
    """
    known = context.known(connection, facts, house.catalogue)
    before = dict(known.lines)
    result = digest([(inbox_id or 0, facts)], known)
    settled = result.settlements[0]
    if settled.state != "applied":
        raise NotBooked(settled.error or f"it waits for {settled.wait_for}")
    store.remember(connection, result)
    entries = [replace(entry, inbox_id=inbox_id) for entry in result.entries]
    store.append(connection, entries, now=now, entropy=house.entropy)
    pace_store.follow(connection, result, before)
    inbox.wake(connection, result.arrived)
    return len(result.entries)
