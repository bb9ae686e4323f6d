"""Sets read into documents: `read(transaction)`.

Tolerant, because public X12 is dirty: what is optional and cannot be read is left out (`validate` has told it); what
a document cannot do without raises `Unreadable`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from channels.edi.documents import Document
from channels.edi.envelope import Transaction
from channels.edi.loops import Loop, arrange
from channels.edi.reading import acks, availability, orders, shipments
from channels.edi.segments import Unreadable

_READERS: Final[dict[str, Callable[[Loop], Document]]] = {
    "846": availability.availability,
    "850": orders.purchase_order,
    "855": orders.order_answer,
    "856": shipments.ship_notice,
    "860": orders.order_change,
    "865": orders.change_answer,
    "997": acks.functional_ack,
    "999": acks.functional_ack,
}

__all__ = ["Unreadable", "read"]


def read(transaction: Transaction) -> Document:
    """The business of a set.

    raises    Unreadable for a set without a reader, or one that lacks what its document cannot do without
    """
    reader = _READERS.get(transaction.set_id)
    if reader is None:
        raise Unreadable(
            f"no reader for set {transaction.set_id!r}; there are {', '.join(_READERS)}"
        )
    root, _ = arrange(transaction)
    return reader(root)
