"""What the settings say about counts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from reconcile.counting.types import Terms, Tier
from workers.settings import Settings


def terms_of(settings: Settings) -> Terms:
    """The terms of counting of this process."""
    return Terms(
        days=_by_tier(settings.count_days),
        percent=_by_tier(settings.count_percent),
        units=_by_tier(settings.count_units),
        escalate_percent=Decimal(str(settings.count_escalate_percent)),
    )


def _by_tier(said: str) -> Mapping[Tier, Decimal]:
    """`A=30,B=90,C=365` by tier; the settings have seen to its form."""
    return {Tier(tier): Decimal(number) for tier, number in (p.split("=") for p in said.split(","))}
