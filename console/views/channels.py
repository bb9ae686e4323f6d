"""What is known of a channel beside its queue: its certificate."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from console.access.types import Unknown
from workers.flows import certificate


def certificate_of(connection: Connection, name: str, key: bytes) -> dict[str, Any]:
    """The newest certificate of a channel; genuine: whether its signature is by this key. Raises Unknown."""
    found = certificate.newest(connection, name)
    if found is None:
        raise Unknown(f"{name} has no certificate: run `lockstep channel certify {name}`")
    report, signature = found
    genuine = certificate.is_genuine(report, signature, key)
    return report | {"signature": signature, "genuine": genuine}
