"""Everything there is to say about some bytes: envelopes, order of segments, elements, meaning."""

from __future__ import annotations

from collections.abc import Iterator

from channels.edi import judge, meaning, values
from channels.edi.envelope import Group, Parsed, Transaction
from channels.edi.findings import Finding
from channels.edi.loops import arrange
from channels.edi.sets import LAYOUTS, tables_of


def validate(parsed: Parsed) -> tuple[Finding, ...]:
    """All findings on what `envelope.parse` read, by the place they stand at."""
    found = [*parsed.findings, *judge.envelopes(parsed)]
    for _, group, transaction in parsed.transactions:
        found += inside(group, transaction)
    return tuple(sorted(found, key=lambda finding: (finding.at.number, finding.at.element)))


def inside(group: Group, transaction: Transaction) -> Iterator[Finding]:
    """Findings on what stands between ST and SE; none when there is no table for the set."""
    if transaction.set_id not in LAYOUTS:
        return
    root, found = arrange(transaction)
    yield from found
    tables = tables_of(group.version)
    for segment in transaction.segments:
        yield from values.judge(segment, tables)
    yield from meaning.judge(transaction.set_id, root)
