"""How far a count may be off, and when somebody is told at once. Percents are exact: 5 % is not above 5 %."""

from __future__ import annotations

from reconcile.counting.types import Terms, Tier, Verdict


def verdict(variance: int, position: int, tier: Tier, terms: Terms) -> Verdict:
    """What a count comes to.

    variance    units counted less the book's
    position    units the book said; nothing or less counts as one unit
    """
    off, base = abs(variance), max(1, position)
    if off <= terms.units[tier] or off * 100 <= terms.percent[tier] * max(0, position):
        return Verdict.WITHIN
    return Verdict.ESCALATED if off * 100 > terms.escalate_percent * base else Verdict.OUTSIDE


def percent_off(variance: int, position: int) -> float:
    """The variance in percent of the book, which counts as one unit at least; rounded to three digits."""
    return round(100 * variance / max(1, position), 3)
