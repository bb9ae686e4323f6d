"""What the traces of a place say before any cause is named: the last push, and whose hand moved the number."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from reconcile.types import Case, SentPush

#: Vendors stamp whole seconds, and not always by the clock that answers the call.
_BLUR = timedelta(seconds=2)


class Hand(StrEnum):
    """What changed the number last, by the vendor's own time of the change.

    BEFORE    nothing since we pushed this number;  OURS    that push, or one that repeated it
    ORDER     an order we know of;  OTHER    somebody else
    """

    BEFORE = "before"
    OURS = "ours"
    ORDER = "order"
    OTHER = "other"


def last_confirmed(case: Case) -> SentPush | None:
    """The newest push that the channel said it took."""
    return next((push for push in case.pushes if push.outcome == "confirmed"), None)


def repeated(case: Case) -> list[SentPush]:
    """The pushes of the number that was confirmed last, newest first: a repair repeats it, and may change nothing.

    The same units under another number are no repair: the target went away and came back. Nor is what follows a push
    that was read back: what the channel's own orders took off a target that stays is put back under its number.
    """
    confirmed = [push for push in case.pushes if push.outcome == "confirmed"]
    of_number = list(takewhile(lambda push: push.number == confirmed[0].number, confirmed))
    return list(takewhile(lambda push: push.seen_at is None, of_number)) or of_number[:1]


def hand(case: Case) -> Hand | None:
    """Whose hand it was; None where the vendor does not say when, or we never pushed."""
    changed, pushed = case.reading.updated_at, repeated(case)
    if changed is None or not pushed:
        return None
    if changed < pushed[-1].sent_at.replace(microsecond=0):
        # As far as we look back the number was pushed all along: one of the older pushes may have changed it.
        return None if len(pushed) == len(case.pushes) > 1 else Hand.BEFORE
    if any(made(push, changed) for push in pushed):
        return Hand.OURS
    at = case.clues.last_order_at
    if at is not None and changed <= at + _BLUR:
        return Hand.ORDER
    return Hand.OTHER


def made(push: SentPush, changed: datetime) -> bool:
    """Whether the change came with this push."""
    begun = push.sent_at.replace(microsecond=0)
    return begun <= changed <= (push.answered_at or push.sent_at) + _BLUR


def pushed_again(case: Case) -> int:
    """How often the number was pushed again and taken, and never read back."""
    unproven = [push for push in repeated(case) if push.seen_at is None]
    return max(case.clues.cured_not, len(unproven) - 1)


def unseen_units(case: Case) -> int:
    """Units that orders took which are not in the book; to be added to what is shown."""
    return case.unseen_units + sum(order.units for order in case.clues.unseen)


def at_push(case: Case, freed: int) -> int:
    """What the channel would show if nobody had ordered since we pushed this number.

    freed    what it shows, with the orders that are not in the book added
    """
    return freed + sum(sale.units for sale in case.clues.sales)


def iso(moment: datetime | None) -> str | None:
    """A moment as evidence keeps it."""
    return moment.isoformat() if moment else None
