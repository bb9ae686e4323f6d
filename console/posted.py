"""What POST /events carries: canonical events as JSON, read and checked before anything is kept."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from ledger.events import FACT
from ledger.inbox import FACT_TOPIC, Delivery

#: Events one request may carry.
MOST_EVENTS = 1000


def deliveries_of(body: bytes) -> list[Delivery]:
    """Canonical events as deliveries, one or a list of up to 1,000.

    raises    HTTPException when one of them is bad; then none is taken
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"the body is not JSON in UTF-8: {error}") from None
    items: list[Any] = document if isinstance(document, list) else [document]
    if not items:
        raise HTTPException(400, "an empty list says nothing; send one event or up to 1000")
    if len(items) > MOST_EVENTS:
        raise HTTPException(413, f"{len(items)} events in one request; send at most {MOST_EVENTS}")
    faults: list[str] = []
    deliveries = []
    for position, item in enumerate(items):
        try:
            # In one form, so that a repeat is recognised however it was written.
            canonical = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
            fact = FACT.validate_json(canonical)
        except orjson.JSONEncodeError:
            faults.append(f"event {position}: nested too deeply for an event")
            continue
        except ValidationError as error:
            faults.extend(_faults(position, error))
            continue
        deliveries.append(Delivery(fact.source, fact.id, FACT_TOPIC, canonical))
    if faults:
        more = f" (+{len(faults) - 10} more)" if len(faults) > 10 else ""
        raise HTTPException(400, f"nothing was kept: {'; '.join(faults[:10])}{more}")
    return deliveries


def _faults(position: int, error: ValidationError) -> list[str]:
    return [
        f"event {position}: {'.'.join(str(part)[:80] for part in e['loc']) or 'event'}: {e['msg'][:200]}"
        for e in error.errors(include_url=False, include_input=False, include_context=False)
    ]
