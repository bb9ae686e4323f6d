"""The draft of an email to a customer, as a message by RFC 5322 that any mail program opens. Pure.

The house knows no customer: who sends it puts the address in. `X-Unsent` lets Outlook open it for writing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final

from reconcile.oversold.types import Case

_SAYS: Final[Mapping[str, str]] = {
    "substitute": (
        "We can send you another item in its place at the same price, or give you your money back. Please tell us\n"
        "which you would like:\n\n    [the item you suggest]"
    ),
    "split": "We send the rest of your order now, and this item as soon as it has arrived, at no cost to you.",
    "refund": (
        "We cannot send it, and give you your money back the way you paid. The rest of your order is not affected."
    ),
    "notify": (
        "It will be sent as soon as it has arrived. If you would rather not wait, tell us, and you get your money back."
    ),
}


def draft(case: Case, response: str, *, key: str, title: str, sender: str, now: datetime) -> str:
    """The text of the draft, lines ended by CR LF.

    title     of the item, "" where nobody gave it one
    sender    address it is sent from
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["Date"] = format_datetime(now)
    message["Subject"] = f"Your order {_plain(case.order_id)}"
    message["Message-ID"] = f"<{key}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["X-Unsent"] = "1"
    units = f"{case.units} of " if case.units > 1 else ""
    message.set_content(
        f"Dear customer,\n\nthank you for your order {_plain(case.order_id)}. When we took it we believed to have"
        f" {units}\n{_plain(title or case.sku)} ({_plain(case.sku)}), and were wrong: we do not have it.\n\n"
        f"{_SAYS.get(response, _SAYS['notify'])}\n\nWe are sorry.\n",
        cte="7bit" if (title + case.sku + case.order_id).isascii() else "quoted-printable",
    )
    return message.as_bytes().decode("ascii")


def _plain(text: str) -> str:
    """Without what would end a header."""
    return " ".join(text.split())
