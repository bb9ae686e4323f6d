"""What strangers and bad programs send: each must be turned away or set aside with a reason, and block nobody."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from console.demo import goods
from console.demo.evidence import Notes
from console.demo.house import House, now
from ledger import catalogue, inbox
from ledger.db import transaction

_LIMIT_S = 30.0
_TOO_LARGE: Final = 2_000_000


def send_rubbish(house: House, notes: Notes) -> str:
    """A bad signature, a body of 2 MB, JSON that is none, a SKU nobody knows."""
    forged = _hook(house, b'{"id": 1}', "forged", sign=False)
    large = _hook(house, b" " * _TOO_LARGE, "large")
    notes.rubbish["forged"] = {"status": forged, "kept": house.state_of("shopify", "forged")[0]}
    notes.rubbish["large"] = {"status": large, "kept": house.state_of("shopify", "large")[0]}
    _hook(house, b'{"id": 7, "line_items": [', "broken")
    notes.rubbish["broken"] = _settled(house, "shopify", "broken")
    fact = house.fact("receipt", goods.UNKNOWN, goods.HERE, units=3, reference="PO-3")
    house.tell(fact)
    notes.rubbish["unknown"] = _settled(house, "wms", str(fact["id"])) | {"id": fact["id"]}
    return "a forged, a huge, a broken delivery and an unknown SKU"


def mend(house: House, notes: Notes) -> str:
    """Make the unknown SKU known and take its delivery through the drain again."""
    seen = notes.rubbish["unknown"]
    number = house.one(
        "SELECT id FROM inbox WHERE source = 'wms' AND delivery_id = :id", id=seen["id"]
    )
    with transaction(house.wiring.engine) as connection:
        catalogue.add_skus(connection, {goods.UNKNOWN: "Bag, new"})
        inbox.replay(connection, [number])
    house.diary[goods.UNKNOWN] += 3
    applied = house.until(
        "the replayed delivery is applied",
        lambda: house.state_of("wms", str(seen["id"]))[0] == "applied",
        limit_s=_LIMIT_S,
    )
    seen["replayed"] = applied
    return f"{goods.UNKNOWN} made known, its delivery replayed"


def _hook(house: House, body: bytes, delivery_id: str, *, sign: bool = True) -> int:
    """Deliver to the relay as the shop would; the status of the answer, 0 when the connection was cut."""
    shop = house.stack.simulators["shopify"]
    secret = shop.webhook_secret if sign else "not the secret"
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    answer = house.post(
        "/hooks/shopify",
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-Shopify-Topic": "orders/updated",
            "X-Shopify-Webhook-Id": delivery_id,
            "X-Shopify-Shop-Domain": shop.account,
            "X-Shopify-Triggered-At": now().isoformat(),
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        },
    )
    return answer.status_code


def _settled(house: House, source: str, delivery_id: str) -> dict[str, object]:
    state, why = house.until(
        f"{source}/{delivery_id} is settled",
        lambda: _if_settled(house.state_of(source, delivery_id)),
        limit_s=_LIMIT_S,
    )
    return {"state": state, "why": why}


def _if_settled(seen: tuple[str, str]) -> tuple[str, str] | None:
    return seen if seen[0] not in ("", "pending") else None
