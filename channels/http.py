"""HTTP for every lane: one pooled session, and every way a call can fail turned into one of our errors.

Nobody looks at a status code after this file. Secrets are cut out of every message before it is raised.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isnan
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from tenacity import Retrying, retry_if_exception_type
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from channels.base import (
    ChannelError,
    Refused,
    Throttled,
    Unauthorised,
    Unavailable,
    Unreadable,
)
from channels.reach import Reach

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

CONNECT_S = 3.05
READ_S = 30.0
USER_AGENT = "lockstep/0.1 (stock sync)"
_SHOWN_CHARACTERS = 200
_DEFAULT_RETRY_AFTER_S = 1.0
#: What is further away than this is looked at again in between.
_LONGEST_RETRY_AFTER_S = 3600.0
#: An answer that has come no faster than this, once the time between two bytes is over, is given up. Bytes a second.
_SLOWEST = 1000.0
_PIECE_BYTES = 65_536
#: What answers instead of the network, by the beginning of the address.
_in_place: ContextVar[Mapping[str, BaseAdapter]] = ContextVar("in_place", default={})  # noqa: B039 - never changed
#: Later secrets that are remembered; a token that lives an hour is long dead when it is forgotten.
_HIDDEN = 50


@contextmanager
def answered_by(adapters: Mapping[str, BaseAdapter]) -> Iterator[None]:
    """Connections that are made inside go to these instead of the network: address's beginning -> what answers."""
    token = _in_place.set(adapters)
    try:
        yield
    finally:
        _in_place.reset(token)


def new_session(headers: Mapping[str, str], *, pool: int = 8) -> requests.Session:
    """A session of ours; proxies and .netrc of the machine neither see nor replace a merchant's token."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"User-Agent": USER_AGENT, **headers})
    adapter = _Patient(pool_connections=1, pool_maxsize=pool, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    for beginning, answers in _in_place.get().items():
        session.mount(beginning, answers)
    return session


class _Patient(Reach):
    """Reads an answer whole, but for one that comes by drops: the limit between two bytes would never be reached."""

    def send(self, request: requests.PreparedRequest, *args: Any, **said: Any) -> requests.Response:
        """Send a request; the answer's body is read unless it is asked for in pieces."""
        answer = super().send(request, *args, **{**said, "stream": True})
        if not said.get("stream"):
            limits = said.get("timeout")
            read_s = limits[1] if isinstance(limits, tuple) else limits
            try:
                answer._content = _whole(answer, READ_S if read_s is None else read_s)
            except (ReadTimeoutError, ProtocolError, DecodeError) as error:
                answer.close()
                raise _told(error) from error
        return answer


def _whole(answer: requests.Response, read_s: float) -> bytes:
    begun_s, parts, count = time.monotonic(), [], 0
    while part := answer.raw.read1(_PIECE_BYTES, decode_content=True):
        parts.append(part)
        count += len(part)
        if time.monotonic() - begun_s > read_s + count / _SLOWEST:
            answer.close()
            raise requests.ReadTimeout(f"{count} bytes in {time.monotonic() - begun_s:.0f} s")
    # Nothing is left: the connection is told so, and goes back to its pool.
    answer.raw.read(decode_content=True)
    return b"".join(parts)


def _told(error: Exception) -> requests.RequestException:
    """What `requests` makes of an answer that breaks off."""
    match error:
        case ReadTimeoutError():
            return requests.ConnectionError(error)
        case ProtocolError():
            return requests.exceptions.ChunkedEncodingError(error)
        case _:
            return requests.exceptions.ContentDecodingError(error)


class TooMany(Throttled):
    """A 429: the vendor counted too many calls, and says so; a 503 only asks for silence."""


class Unreached(Unavailable):
    """The connection broke or was refused; unlike a timeout this is known at once."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """One vendor account's connections.

    base_url    scheme, host and optional path; `path` of a call is appended
    headers     sent with every call
    secrets     texts that must never appear in an error, such as the access token
    connect_s   seconds to connect;  read_s   seconds between two bytes
    adapter     makes the connections, where they are not to go anywhere (`channels.outbound`)
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        secrets: Sequence[str] = (),
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
        pool: int = 8,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._secrets = tuple(secret for secret in secrets if secret)
        self._hidden: tuple[str, ...] = ()
        #: The vendor's clock, by the Date header of the last answer; None before the first.
        self.vendor_time: datetime | None = None
        self._timeouts = (connect_s, read_s)
        self._session = new_session(headers, pool=pool)
        if adapter is not None:
            self._session.mount("https://", adapter)
            self._session.mount("http://", adapter)

    def hide(self, secret: str) -> None:
        """Cut this too out of every error: a token that was made only after the connections."""
        if secret and secret not in self._hidden:
            self._hidden = (*self._hidden[1 - _HIDDEN :], secret)

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def post_json(
        self,
        path: str,
        document: Json,
        *,
        idempotent_read: bool = False,
        again: Callable[[], bool] = lambda: True,
    ) -> Reply:
        """Send a JSON document.

        idempotent_read    the call changes nothing, so that a broken connection is tried once more at once
        again              is asked before that: whether the limit allows for another call
        raises             ChannelError, see `base.py`
        """
        # Nothing is dropped from the document: a null is a word of its own on some vendors' wires.
        body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        return self.call(
            "POST",
            path,
            body=body,
            headers={"Content-Type": "application/json"},
            idempotent_read=idempotent_read,
            again=again,
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent_read: bool = False,
        again: Callable[[], bool] = lambda: True,
        also: Collection[int] = (),
    ) -> Reply:
        """One call; the answer is a 2xx, one of the statuses that the caller reads itself (`also`), or an error.

        idempotent_read, again    see `post_json`
        """
        tries = 2 if idempotent_read else 1
        for attempt in Retrying(
            # The vendor may have counted the call whose connection broke: the next one is another.
            stop=lambda made: made.attempt_number >= tries or not again(),
            retry=retry_if_exception_type(Unreached),
            reraise=True,
        ):
            with attempt:
                return self._once(method, path, params, body, headers, also)
        raise AssertionError("tenacity either returns or raises")

    def json_object(self, reply: Reply) -> dict[str, object]:
        """The reply's JSON object; Unreadable for anything else, with the first characters of it."""
        try:
            document = json.loads(reply.body)
        except ValueError:
            raise self.unreadable("not JSON", reply.body) from None
        if not isinstance(document, dict):
            raise self.unreadable("not a JSON object", reply.body)
        return document

    def unreadable(self, problem: str, body: bytes) -> Unreadable:
        """The error for an answer that its own contract does not describe."""
        return Unreadable(f"{self._host} answered {problem}: {self._shown(body)!r}")

    def shown(self, text: str) -> str:
        """The vendor's words for an error of ours: secrets cut out, then cut to 200 characters."""
        return self._cut(text)[:_SHOWN_CHARACTERS]

    def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        also: Collection[int],
    ) -> Reply:
        try:
            answer = self._session.request(
                method,
                self._base_url + path,
                params=params,
                data=body,
                headers=headers,
                timeout=self._timeouts,
                # A redirect would carry the token to a host nobody configured.
                allow_redirects=False,
            )
        except requests.Timeout as error:
            raise Unavailable(self._failure(method, path, error)) from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise Unreached(self._failure(method, path, error)) from None
        except requests.RequestException as error:
            raise Unavailable(self._failure(method, path, error)) from None
        self.vendor_time = _http_date(answer.headers.get("date")) or self.vendor_time
        reply = Reply(
            status=answer.status_code,
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=answer.content,
        )
        if 200 <= reply.status < 300 or reply.status in also:
            return reply
        raise self._error(method, path, reply)

    def _error(self, method: str, path: str, reply: Reply) -> ChannelError:
        where = f"{method} {self._host}{self._cut(path)}"
        what = f"{where} answered {reply.status}: {self._shown(reply.body)!r}"
        retry_after_s = seconds_of(reply.headers.get("retry-after"), reply.headers.get("date"))
        match reply.status:
            case 429:
                wait_s = _DEFAULT_RETRY_AFTER_S if retry_after_s is None else retry_after_s
                return TooMany(what, retry_after_s=wait_s)
            case 503 if retry_after_s is not None:
                return Throttled(what, retry_after_s=retry_after_s)
            case 401 | 403:
                return Unauthorised(f"{what}; check the channel's token and scopes")
            case 408:
                return Unavailable(what)
            case status if status >= 500:
                return Unavailable(what)
            case _:
                return Refused(what, code=str(reply.status))

    @property
    def _host(self) -> str:
        return urlsplit(self._base_url).netloc

    def _failure(self, method: str, path: str, error: Exception) -> str:
        return self._cut(f"{method} {self._host}{path}: {why_of(error)}")

    def _shown(self, body: bytes) -> str:
        # Cut secrets before cutting the length: half a secret at the edge would not be recognised.
        return self.shown(body.decode("utf-8", errors="replace"))

    def _cut(self, text: str) -> str:
        for secret in self._secrets + self._hidden:
            text = text.replace(secret, "***")
        return text


def why_of(error: Exception) -> str:
    """Why there was no answer, for whoever reads the alert; what the libraries wrap their reason in is left out."""
    inner = error.args[0] if error.args else error
    match reason := getattr(inner, "reason", inner):
        case NameResolutionError():
            told = str(reason).partition(": ")[2]
            return f"this name leads nowhere: check the address, then this machine's DNS ({told})"
        case NewConnectionError() | ConnectTimeoutError():
            return str(reason).partition(": ")[2] or str(reason)
        case ReadTimeoutError():
            return "no answer in time" + str(reason).partition("Read timed out.")[2]
        case ProtocolError():
            return f"the connection broke: {reason.args[-1]}"
        case _:
            return f"{type(error).__name__}: {reason}"


def seconds_of(retry_after: str | None, date: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or an HTTP date (RFC 9110, 10.2.3); None when absent.

    date    the same answer's Date header; the difference of both needs no clock of ours
    """
    if retry_after is None:
        return None
    try:
        return _bounded(float(retry_after))
    except ValueError:
        pass
    until, sent = _http_date(retry_after), _http_date(date)
    if until is None or sent is None:
        return _DEFAULT_RETRY_AFTER_S
    return _bounded((until - sent).total_seconds())


def _bounded(seconds: float) -> float:
    if isnan(seconds):
        return _DEFAULT_RETRY_AFTER_S
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER_S)


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    if moment is not None and moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment
