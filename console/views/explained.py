"""An explained number, as it is said in JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from allocation.explaining import Account
from workers.flows.explain import Explanation

NOT_KEPT = "set before the arithmetic of targets was kept; it is kept from the next change on"


def in_full(found: Explanation) -> dict[str, Any]:
    """A number, with everything it rests on."""
    explained, kept = found.explained, found.kept
    return {
        "sku": found.sku,
        "channel": found.channel,
        "location": found.location,
        "at": found.at,
        "told": found.listing.told,
        "ledger": [_account_in_full(account) for account in found.accounts],
        "terms": [asdict(term) for term in explained.terms] if explained else [],
        "target": {
            "id": kept.id if kept else None,
            "number": kept.number if kept and found.at else found.current.number,
            "units": kept.units if kept else found.current.units,
            "set_at": kept.set_at if kept else found.current.set_at,
            "pool": explained.pool if explained else None,
            "share": explained.share if explained else None,
            "takes": explained.takes if explained else None,
            "remark": explained.remark if explained else NOT_KEPT,
            "rules": found.rules,
            "due_since": None if found.at else found.current.due_since,
        },
        **found.became,
        "held_by": found.held_by,
        "lag": found.lag,
        "adds_up": found.adds_up,
        "faults": list(found.faults),
    }


def _account_in_full(account: Account) -> dict[str, Any]:
    return {
        "sku": account.sku,
        "location": account.location,
        "units": account.units,
        "version": account.version,
        "events": account.events,
        "kinds": [asdict(moved) for moved in account.kinds],
        "newest": [asdict(entry) for entry in account.newest],
        "since": {
            "units": account.since_units,
            "events": account.since_events,
            "kinds": [asdict(moved) for moved in account.since_kinds],
            "newest": [asdict(entry) for entry in account.since_newest],
        },
    }
