"""One call of the Selling Partner API: pay from the operation's bucket, send with a token, and read what came back.

Amazon limits every operation by itself and tells nobody how many calls are left: each has a bucket of ours, begun with
its usage plan and kept at the rate that `x-amzn-RateLimit-Limit` tells. A 429 carries no Retry-After; the bucket is
then closed for as long as one call takes to come back.

Source: https://developer-docs.amazon.com/sp-api/docs/usage-plans-and-rate-limits
"""

from __future__ import annotations

import gzip
import json
import platform
import threading
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ValidationError

from channels.amazon.operations import OPERATIONS, Operation
from channels.amazon.tokens import Tokens
from channels.base import ChannelError, Refused, Throttled, Unauthorised, Unavailable, Unreadable
from channels.http import CONNECT_S, READ_S, Http, Json, Reply, TooMany
from channels.limits import Allowance, Limiter, Limits
from channels.paid import Paid

Answer = TypeVar("Answer", bound=BaseModel)

#: As Amazon asks for it (developer-docs, Include a User-Agent header in all requests).
USER_AGENT: Final = (
    f"Lockstep/0.1 (Language=Python/{platform.python_version()}; Platform={platform.system()})"
)
_SELF_READ: Final = (400, 401, 403, 404, 409, 413, 415, 422)
_DENIED: Final = (401, 403)
#: A rate nobody can have: the header is then not believed.
_FASTEST_PER_S: Final = 10_000.0


class Missing(Refused):
    """Amazon has no such thing (404)."""


class SellingPartner:
    """The API of one seller's account.

    base_url    of the region, such as https://sellingpartnerapi-na.amazon.com
    limits      gives each operation its bucket
    """

    def __init__(
        self,
        base_url: str,
        tokens: Tokens,
        *,
        limits: Limits,
        seller_id: str,
        marketplace_id: str,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
    ) -> None:
        self.seller_id = seller_id
        self.marketplace_id = marketplace_id
        self._tokens = tokens
        self._limits = limits
        self._timeouts = (connect_s, read_s)
        self._http = Http(
            base_url,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            connect_s=connect_s,
            read_s=read_s,
        )
        self._lock = threading.Lock()
        self._buckets: dict[str, Limiter] = {}
        self._rates: dict[str, float] = {}

    @property
    def vendor_time(self) -> datetime | None:
        """The vendor's clock at its last answer; see `base.Channel`."""
        return self._http.vendor_time

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()
        self._tokens.close()

    def call(
        self,
        name: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Json = None,
    ) -> dict[str, object]:
        """Call an operation by Amazon's name for it; the JSON object of the answer, {} where it has no body.

        path     values for the braces of its path, as they are: they are escaped here
        query    a list is one text with commas
        raises   Throttled before or after sending; Missing for a 404, Refused(code) for another 4xx, Unauthorised
                 for a 401 or 403 with a fresh token, Unavailable and Unreadable when it is unknown what happened
        """
        operation = OPERATIONS[name]
        reply = self._sent(operation, _path(operation, path or {}), query, body)
        if reply.status in _SELF_READ:
            raise self._refusal(operation, reply)
        return self._http.json_object(reply) if reply.body.strip() else {}

    def ask(
        self,
        name: str,
        model: type[Answer],
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Json = None,
    ) -> Answer:
        """As `call`, the answer as a value of `model`; Unreadable where it does not fit, naming the field."""
        answer = self.call(name, path=path, query=query, body=body)
        try:
            return model.model_validate(answer)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise Unreadable(f"Amazon: {name}: {place}: {first['msg']}") from None

    def upload(self, url: str, content_type: str, content: bytes) -> None:
        """PUT a document to its presigned url; the content type is part of the signature."""
        with _Files(url, self._timeouts) as files:
            files.call("PUT", content=content, headers={"Content-Type": content_type})

    def download(self, url: str, compression: str = "") -> bytes:
        """GET a document from its presigned url; `compression` as Amazon names it, "" or GZIP."""
        with _Files(url, self._timeouts) as files:
            reply = files.call("GET")
        if compression != "GZIP":
            return reply.body
        try:
            return gzip.decompress(reply.body)
        except (OSError, EOFError, zlib.error):
            raise Unreadable("Amazon: a document that says it is gzipped and is not") from None

    # ---- one call ----

    def _sent(
        self, operation: Operation, path: str, query: Mapping[str, str] | None, body: Json
    ) -> Reply:
        # The token first: while Login with Amazon is down no call is paid for.
        token = self._tokens.get(grantless=operation.grantless)
        bucket = self._bucket(operation)
        paid = Paid(bucket, 1)
        told_rate = 0.0
        try:
            reply = self._once(operation, path, query, body, token, paid)
            if reply.status in _DENIED:
                # An expired token is a 403 like every other: one fresh token, then it is believed.
                self._tokens.forget(token)
                token = self._tokens.get(grantless=operation.grantless)
                reply = self._once(operation, path, query, body, token, paid)
            told_rate = self._told_rate(operation, reply)
        except Throttled as refusal:
            wait_s = max(refusal.retry_after_s, self._wait_s(operation))
            shut = bucket.refused if isinstance(refusal, TooMany) else bucket.close
            shut(wait_s)
            raise Throttled(str(refusal), retry_after_s=wait_s) from None
        finally:
            bucket.settle(paid.ticket, told_rate)
        return reply

    def _once(
        self,
        operation: Operation,
        path: str,
        query: Mapping[str, str] | None,
        body: Json,
        token: str,
        paid: Paid,
    ) -> Reply:
        self._http.hide(token)
        headers = {"x-amz-access-token": token}
        content: bytes | None = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        return self._http.call(
            operation.method,
            path,
            params=query,
            body=content,
            headers=headers,
            idempotent_read=operation.is_read,
            again=paid.again,
            also=_SELF_READ,
        )

    def _bucket(self, operation: Operation) -> Limiter:
        with self._lock:
            bucket = self._buckets.get(operation.name)
            if bucket is None:
                allowed = Allowance(operation.burst, operation.rate_per_s)
                bucket = self._buckets[operation.name] = self._limits(operation.name, allowed)
            return bucket

    def _told_rate(self, operation: Operation, reply: Reply) -> float:
        """Calls a second as the answer tells, 0 when it does not."""
        try:
            rate = float(reply.headers.get("x-amzn-ratelimit-limit", ""))
        except ValueError:
            return 0.0
        if not 0 < rate <= _FASTEST_PER_S:
            return 0.0
        self._rates[operation.name] = rate
        return rate

    def _wait_s(self, operation: Operation) -> float:
        return 1.0 / self._rates.get(operation.name, operation.rate_per_s)

    def _refusal(self, operation: Operation, reply: Reply) -> ChannelError:
        code, message = _first_error(reply.body)
        request = reply.headers.get("x-amzn-requestid", "none")
        said = self._http.shown(message)
        what = f"Amazon: {operation.name}: {code or reply.status}: {said} (request {request})"
        if reply.status in _DENIED:
            return Unauthorised(
                f"{what}; check the channel's secrets, its seller_id and the application's roles"
            )
        kind = Missing if reply.status == 404 else Refused
        return kind(what, code=code or str(reply.status))


class _Files:
    """The host of a presigned url; it must never see a token of ours, and no error may show the url's signature."""

    def __init__(self, url: str, timeouts: tuple[float, float]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise Unreadable("Amazon: a document's url that is none")
        self._path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._http = Http(
            f"{parts.scheme}://{parts.netloc}",
            headers={},
            secrets=[parts.query],
            connect_s=timeouts[0],
            read_s=timeouts[1],
            pool=1,
        )

    def call(
        self, method: str, *, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """PUT or GET the document. A url that is too old is no matter of credentials: a fresh one may be asked for."""
        reply = self._http.call(
            method, self._path, body=content, headers=headers, idempotent_read=True, also=_SELF_READ
        )
        if reply.status in _SELF_READ:
            raise Unavailable(
                f"Amazon: its bucket answered {reply.status} to a {method}; presigned urls live five minutes"
            )
        return reply

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


def _path(operation: Operation, given: Mapping[str, str]) -> str:
    """The path with every value escaped whole: a slash in a SKU is a part of it."""
    if any(value in (".", "..", "") for value in given.values()):
        raise Refused(
            f"Amazon: {operation.name}: a path cannot carry {dict(given)}", code="INVALID_PATH"
        )
    return operation.path.format_map({name: quote(value, safe="") for name, value in given.items()})


def _first_error(body: bytes) -> tuple[str, str]:
    try:
        errors = json.loads(body)["errors"]
        first = errors[0]
        words = " ".join(str(first[name]) for name in ("message", "details") if first.get(name))
        return str(first.get("code") or ""), words
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return "", body.decode("utf-8", errors="replace")
