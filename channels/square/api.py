"""One call of Square's API: pay from the account's bucket, send, and turn every refusal into one of our errors.

Square publishes no numbers for its limits and tells none in its answers: a 429 RATE_LIMITED, with or without
Retry-After or X-RateLimit-Reset, is all there is (square/square-python-sdk 45.1.0.20260819 heeds them in that order).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from channels.base import Refused, Throttled
from channels.http import CONNECT_S, READ_S, Http, Json, Reply, seconds_of
from channels.limits import Limiter
from channels.paid import Paid
from channels.square import wire

Answer = TypeVar("Answer", bound=BaseModel)
Paged = TypeVar("Paged", bound=wire.Page)

_READ_BY_US: Final = (400, 404, 409, 410, 422, 429)
#: How long to stay away when the vendor says only "too many".
_UNTOLD_S: Final = 1.0


class Refusal(Refused):
    """Square refused the call; `problems` are its complaints, at least one."""

    def __init__(self, message: str, *, status: int, problems: tuple[wire.Problem, ...]) -> None:
        super().__init__(message, code=problems[0].code)
        self.status = status
        self.problems = problems

    def has(self, code: str) -> bool:
        """Whether one of the complaints is of this kind."""
        return any(problem.code == code for problem in self.problems)


class Api:
    """One seller's account.

    version   the `Square-Version` of every call
    limiter   the account's bucket of calls
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        version: str,
        limiter: Limiter,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
    ) -> None:
        self.version = version
        self._limiter = limiter
        self._http = Http(
            base_url,
            headers={
                "Authorization": f"Bearer {token}",
                "Square-Version": version,
                "Accept": "application/json",
            },
            secrets=[token],
            connect_s=connect_s,
            read_s=read_s,
        )

    @property
    def vendor_time(self) -> datetime | None:
        """The vendor's clock at its last answer; see `base.Channel`."""
        return self._http.vendor_time

    def afford(self, calls: int) -> None:
        """Be sure of the limit for so many calls; see `Limiter.afford`."""
        self._limiter.afford(calls)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        model: type[Answer],
        *,
        body: Json = None,
        query: Mapping[str, str] | None = None,
        is_read: bool = False,
    ) -> Answer:
        """Call and read the answer.

        is_read   the call changes nothing and may be repeated at once when the connection breaks
        raises    ChannelError: Throttled, Refusal with the vendor's complaints, Unauthorised, Unavailable, Unreadable
        """
        reply = self.send(method, path, body=body, query=query, is_read=is_read)
        return self.read(reply, model)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Json = None,
        query: Mapping[str, str] | None = None,
        is_read: bool = False,
    ) -> Reply:
        """As `ask`, the answer unread."""
        paid = Paid(self._limiter, 1)
        try:
            reply = self._http.call(
                method,
                path,
                params=query,
                body=None if body is None else json.dumps(body, separators=(",", ":")).encode(),
                headers=None if body is None else {"Content-Type": "application/json"},
                idempotent_read=is_read,
                again=paid.again,
                also=_READ_BY_US,
            )
        except Throttled as refusal:
            self._limiter.close(refusal.retry_after_s)
            raise
        finally:
            self._limiter.settle(paid.ticket)
        if reply.status == 429:
            raise self._throttled(path, reply)
        if reply.status >= 400:
            raise self._refusal(method, path, reply)
        return reply

    def read(self, reply: Reply, model: type[Answer]) -> Answer:
        """The answer as a value; Unreadable where it does not fit, naming the field."""
        document = self._http.json_object(reply)
        try:
            return model.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise self._http.unreadable(f"{place}: {first['msg']}", reply.body) from None

    def document(self, reply: Reply) -> dict[str, object]:
        """The answer as it is."""
        return self._http.json_object(reply)

    def pages(
        self,
        path: str,
        model: type[Paged],
        body: Mapping[str, Json],
    ) -> Iterator[Paged]:
        """Every page of a POST that searches."""
        cursor: str | None = None
        while True:
            asked = dict(body) if cursor is None else {**body, "cursor": cursor}
            found = self.ask("POST", path, model, body=asked, is_read=True)
            yield found
            cursor = found.cursor
            if not cursor:
                return

    def _throttled(self, path: str, reply: Reply) -> Throttled:
        wait_s = _wait_s(reply)
        self._limiter.refused(wait_s)
        return Throttled(
            f"Square: {path}: 429 RATE_LIMITED; come back in {wait_s:g} s", retry_after_s=wait_s
        )

    def _refusal(self, method: str, path: str, reply: Reply) -> Refusal:
        try:
            problems = wire.Problems.model_validate(self._http.json_object(reply)).errors
        except ValidationError:
            problems = ()
        problems = problems or (wire.Problem(code=str(reply.status)),)
        first = problems[0]
        where = f" ({first.field})" if first.field else ""
        said = self._http.shown(f"{first.code}: {first.detail}{where}")
        return Refusal(f"Square: {method} {path}: {said}", status=reply.status, problems=problems)


def answered_at(reply: Reply) -> datetime | None:
    """When the vendor answered, by its own clock, the fraction of the second cut off; None where it does not say."""
    return _http_date(reply.headers.get("date"))


def _wait_s(reply: Reply) -> float:
    told = seconds_of(reply.headers.get("retry-after"), reply.headers.get("date"))
    if told is not None:
        return told
    reset, sent = reply.headers.get("x-ratelimit-reset", ""), answered_at(reply)
    if reset.isdecimal() and sent is not None:
        return max(0.0, int(reset) - sent.timestamp())
    return _UNTOLD_S


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
