"""Everything there is to say about some bytes: envelopes, order of segments, elements, meaning."""

from __future__ import annotations

from channels.edi import judge, meaning, values
from channels.edi.envelope import Group, Parsed, Transaction
from channels.edi.findings import Finding, Tally
from channels.edi.loops import arrange
from channels.edi.sets import LAYOUTS, tables_of


def validate(parsed: Parsed) -> tuple[Finding, ...]:
    """All findings on what `envelope.parse` read, by the place they stand at."""
    found = [*parsed.findings, *judge.envelopes(parsed)]
    for _, group, transaction in parsed.transactions:
        found += inside(group, transaction)
    return tuple(sorted(found, key=lambda finding: (finding.at.number, finding.at.element)))


def inside(group: Group, transaction: Transaction) -> list[Finding]:
    """Findings on what stands between ST and SE; none when there is no table for the set."""
    if transaction.set_id not in LAYOUTS:
        return []
    root, found = arrange(transaction)
    tally, tables = Tally(), tables_of(group.version)
    tally.take(found)
    for segment in transaction.segments:
        tally.take(values.judge(segment, tables))
    tally.take(meaning.judge(transaction.set_id, root))
    return tally.found
