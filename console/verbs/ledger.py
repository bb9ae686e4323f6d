"""The book sealed by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from ledger import seals


def seal(engine: Engine, *, now: datetime) -> dict[str, Any]:
    """Seal everything that is not sealed yet; how many seals that took, and the newest."""
    made = seals.seal(engine, now=now)
    newest = made[-1] if made else None
    return {
        "seals": len(made),
        "last_seq": newest.last_seq if newest else None,
        "root": newest.root.hex() if newest else None,
    }
