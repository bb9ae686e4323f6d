"""Rules on their way into force: what they would change, and putting them there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine

from allocation import drafts, store
from allocation.document import Document
from allocation.types import Rules, Target
from ledger.db import transaction
from workers.flows.allocate import targets_now

BATCH = 500


class Overtaken(RuntimeError):
    """Another version than the expected one is in force: look at the difference again before applying."""


@dataclass(frozen=True, slots=True)
class Change:
    """A number that would change; `now` is None where none was computed yet."""

    channel: str
    sku: str
    location: str
    now: int | None
    then: int


@dataclass(slots=True)
class Sum:
    """What would change on one channel.

    now, then    units of all its numbers
    rise, fall   numbers that would rise or fall;  first   those that would be the first
    """

    channel: str
    now: int = 0
    then: int = 0
    rise: int = 0
    fall: int = 0
    first: int = 0

    def add(self, change: Change) -> None:
        """Count one number in, changed or not."""
        self.now += change.now or 0
        self.then += change.then
        if change.now is None:
            self.first += 1
        else:
            self.rise += change.then > change.now
            self.fall += change.then < change.now


@dataclass(slots=True)
class Plan:
    """What a draft would change at the present stock.

    version     in force; 0 before the first
    due         SKUs still being computed with it, whose numbers may change without the draft
    skus        looked at
    sums        by channel, sorted
    changes     the first of them, by SKU;  left_off   how many more there are
    unlisted    channels of the draft on which nothing is listed, so that nothing can be said of them
    """

    version: int
    due: int
    skus: int = 0
    sums: list[Sum] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    left_off: int = 0
    unlisted: list[str] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether any number would change."""
        return bool(self.changes) or self.left_off > 0


def plan(
    engine: Engine,
    draft: Rules,
    now: datetime,
    *,
    sku: str = "*",
    limit: int = 50,
    batch: int = BATCH,
) -> Plan:
    """Compare the numbers in force with those that a draft would give; nothing is written.

    sku      SKU or pattern
    limit    changes told one by one
    batch    SKUs in one transaction
    """
    with transaction(engine) as connection:
        drafts.only_read(connection)
        found = Plan(_version(connection), drafts.skus_due(connection))
        listed = drafts.listed_channels(connection)
    found.unlisted = [channel.name for channel in draft.channels if channel.name not in listed]
    sums: dict[str, Sum] = {}
    after = ""
    while True:
        with transaction(engine) as connection:
            drafts.only_read(connection)
            skus = drafts.skus_after(connection, after, sku, batch)
            if not skus:
                break
            stored = drafts.stored_targets(connection, skus)
            _, computed = targets_now(connection, skus, now, draft)
        found.skus += len(skus)
        after = skus[-1]
        _count(found, sums, _changes(computed, stored), limit)
    found.sums = [sums[channel] for channel in sorted(sums)]
    return found


def _changes(
    computed: Iterable[Target], stored: Mapping[tuple[str, str, str], int]
) -> list[Change]:
    changes = [
        Change(t.channel, t.sku, t.location, stored.get((t.channel, t.sku, t.location)), t.units)
        for t in computed
    ]
    return sorted(changes, key=lambda change: (change.sku, change.channel, change.location))


def _count(found: Plan, sums: dict[str, Sum], changes: Iterable[Change], limit: int) -> None:
    for change in changes:
        sums.setdefault(change.channel, Sum(change.channel)).add(change)
        if change.now == change.then:
            continue
        if len(found.changes) < limit:
            found.changes.append(change)
        else:
            found.left_off += 1


def _version(connection: Connection) -> int:
    """The version in force, 0 before the first; its text is not read, so that one that cannot be can be replaced."""
    newest = store.history(connection, limit=1)
    return newest[0].version if newest else 0


@dataclass(frozen=True, slots=True)
class Applied:
    """A version that has come into force, and the one it followed (0: it is the first)."""

    version: int
    before: int


def put_in_force(
    engine: Engine,
    source: str,
    document: Document,
    author: str,
    reason: str,
    now: datetime,
    *,
    expected: int | None = None,
) -> Applied:
    """Put rules in force, one version after the other.

    expected    the version that must be in force until then; None is any
    raises      Overtaken: it is not
    """
    with transaction(engine) as connection:
        drafts.close_gate(connection)
        before = _version(connection)
        if expected is not None and expected != before:
            there = f"version {before} is in force" if before else "no rules are in force"
            raise Overtaken(f"{there}, not version {expected}: plan again, then expect {before}")
        version = store.apply_rules(connection, source, document, author, reason, now)
    return Applied(version, before)
