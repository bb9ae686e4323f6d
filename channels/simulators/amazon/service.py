"""What every operation's handler works with: the account, the faults, page tokens, and files behind presigned urls."""

from __future__ import annotations

import gzip
import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from channels.simulators.amazon.account import Account
from channels.simulators.amazon.errors import invalid_input
from channels.simulators.amazon.models import Operation
from channels.simulators.amazon.state import Document
from channels.simulators.faults import Fault, Faults

PRESIGNED_S: Final = 300
"""How long a presigned url is good (Feeds API use case guide)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted call: everything a handler may look at.

    path, query, body   read and checked against the model
    given               the query as it was sent, to compare pages with
    """

    operation: Operation
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    given: Mapping[str, tuple[str, ...]]
    at: datetime


class PageTokens:
    """Opaque tokens for next pages; what they stand for stays here."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._kept: dict[str, tuple[datetime, Any]] = {}

    def issue(self, page: Any, now: datetime, life_s: float) -> str:
        token = self._account.new_uuid()
        self._kept = {t: kept for t, kept in self._kept.items() if kept[0] > now}
        self._kept[token] = (now + timedelta(seconds=life_s), page)
        return token

    def read(self, token: str, now: datetime) -> Any:
        """What was issued. Raises ApiError 400 when the token is unknown or too old."""
        kept = self._kept.get(token)
        if kept is None or now >= kept[0]:
            raise invalid_input("The provided next token is invalid or has expired.")
        return kept[1]

    def reset(self) -> None:
        self._kept.clear()


class Files:
    """Documents in a bucket, reached only by urls that are signed and soon expire."""

    def __init__(self, account: Account, base_url: Callable[[], str], secret: str) -> None:
        self._account = account
        self._base_url = base_url
        self._secret = secret

    def add(self, content_type: str, content: bytes | None = None) -> Document:
        """A new document; `content` is kept gzipped, None awaits an upload."""
        document = Document(
            f"amzn1.tortuga.4.na.{self._account.new_uuid()}.T{self._account.new_digits(13)}",
            content_type,
            gzip.compress(content, 6, mtime=0) if content is not None else None,
            gzipped=content is not None,
            upload=content is None,
        )
        self._account.documents[document.document_id] = document
        return document

    def url(self, document: Document, method: str, now: datetime) -> str:
        issued = now.strftime("%Y%m%dT%H%M%SZ")
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": issued,
            "X-Amz-Expires": str(PRESIGNED_S),
            "X-Amz-Signature": self._sign(document.document_id, method, issued),
        }
        return f"{self._base_url()}/files/{document.document_id}?{urlencode(query)}"

    def open(
        self, document_id: str, method: str, query: Mapping[str, str], now: datetime
    ) -> Document | str:
        """The document, or the bucket's code for refusing (always a 403, or 404 for nothing there yet)."""
        issued = query.get("X-Amz-Date", "")
        signature = self._sign(document_id, method, issued)
        document = self._account.documents.get(document_id)
        if document is None or not hmac.compare_digest(
            signature.encode(), query.get("X-Amz-Signature", "").encode()
        ):
            return "SignatureDoesNotMatch"
        begun = datetime.strptime(f"{issued}+0000", "%Y%m%dT%H%M%SZ%z")
        if now >= begun + timedelta(seconds=PRESIGNED_S):
            return "AccessDenied"
        return document

    def _sign(self, document_id: str, method: str, issued: str) -> str:
        text = f"{method} {document_id} {issued}"
        return hmac.new(self._secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass(slots=True)
class Service:
    """One account's API behind the door."""

    account: Account
    faults: Faults
    files: Files
    pages: PageTokens

    def strikes(self, kind: str, now: datetime, skus: Collection[str] = ()) -> Fault | None:
        """A fault of this kind that hits these SKUs now."""
        return self.faults.draw(kind, now, skus=skus)


Handler = Callable[[Service, Call], object]
