"""The go-live certificate: what was tried on a channel, signed, kept, and what follows from it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from allocation import backlog
from reconcile.trail import record

_KEEP = text("""
    INSERT INTO certificate (channel, begun_at, finished_at, passed, approved_by, report, signature)
    VALUES (:channel, :begun_at, :finished_at, :passed, :by, CAST(:report AS jsonb), :signature)
    RETURNING id
""")
_NEWEST = text("""
    SELECT report, signature FROM certificate WHERE channel = :channel ORDER BY id DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Tried:
    """One thing that was tried, and what came of it in words."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What the first numbers would change: shown now -> shown then; None is unknown."""

    sku: str
    location: str
    now: int | None
    then: int


@dataclass(slots=True)
class Certificate:
    """A go-live test.

    events         writes and read-backs that were compared;  failed: those that were not as they should be
    differences    what the first numbers change, `digest` names exactly these
    approved_by    who has seen them; "" while nobody has
    """

    channel: str
    kind: str
    account: str
    begun_at: datetime
    finished_at: datetime
    events: int = 0
    failed: int = 0
    digest: str = ""
    approved_by: str = ""
    differences: tuple[Difference, ...] = ()
    tried: list[Tried] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the channel may write."""
        return bool(self.approved_by) and self.readable

    @property
    def readable(self) -> bool:
        """Whether everything that was tried went well; before the approval that is reading only."""
        return bool(self.tried) and all(each.passed for each in self.tried)

    def report(self) -> dict[str, Any]:
        """The certificate as JSON values."""
        document = asdict(self) | {"passed": self.passed, "readable": self.readable}
        document["begun_at"] = self.begun_at.isoformat()
        document["finished_at"] = self.finished_at.isoformat()
        # Long lists of differences are named by their digest; the first ones show what they are like.
        document["differences"] = [asdict(each) for each in self.differences[:100]]
        document["differences_in_all"] = len(self.differences)
        return document


def digest(differences: tuple[Difference, ...]) -> str:
    """A short name for exactly these differences."""
    said = json.dumps([[d.sku, d.location, d.now, d.then] for d in differences])
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def sign(report: Mapping[str, Any], key: bytes) -> str:
    """HMAC-SHA256 over the report in one form (sorted keys, no blanks), in hexadecimal."""
    body = json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def is_genuine(report: Mapping[str, Any], signature: str, key: bytes) -> bool:
    """Whether the house with this key signed exactly this report."""
    return hmac.compare_digest(sign(report, key), signature)


def keep(connection: Connection, certificate: Certificate, key: bytes) -> str:
    """Keep a finished certificate and let the channel write, or not; returns the signature."""
    report = certificate.report()
    signature = sign(report, key)
    connection.execute(
        _KEEP,
        {
            "channel": certificate.channel,
            "begun_at": certificate.begun_at,
            "finished_at": certificate.finished_at,
            "passed": certificate.passed,
            "by": certificate.approved_by,
            "report": json.dumps(report),
            "signature": signature,
        },
    )
    backlog.allow_writes(connection, certificate.channel, allowed=certificate.passed)
    record(
        connection,
        actor=certificate.approved_by,
        action="channel.certified" if certificate.passed else "channel.not_certified",
        what=f"channel:{certificate.channel}",
        at=certificate.finished_at,
        reason=f"{certificate.events} events, {certificate.failed} not as they should be",
        detail={"signature": signature},
    )
    return signature


def newest(connection: Connection, channel: str) -> tuple[dict[str, Any], str] | None:
    """The newest certificate of a channel and its signature; None before the first."""
    row = connection.execute(_NEWEST, {"channel": channel}).one_or_none()
    return None if row is None else (dict(row.report), str(row.signature))
