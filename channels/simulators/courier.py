"""The courier: webhook deliveries over HTTP, with the vendor's timeouts, retries and giving up."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from urllib.parse import urlsplit

from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock
from channels.simulators.events import EventLog

Post: TypeAlias = Callable[[str, Mapping[str, str], bytes], tuple[int, str]]
"""(address, headers, body) -> status and reason; status 0 when there is no answer."""


@dataclass(slots=True)
class Parcel:
    """One delivery: the same bytes and headers at every attempt, but for what the courier adds to an attempt.

    first_at   simulated moment of the first attempt, set by the courier
    attempts   attempts made so far, the present one included
    status, reason   what came of the last attempt; status 0 when there was no answer
    """

    delivery_id: str
    subscription_id: int
    topic: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    attempts: int = 0
    first_at: datetime | None = None
    status: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """How a vendor delivers. `retry_after_s` holds one wait per retry, in simulated seconds."""

    retry_after_s: tuple[float, ...]
    connect_s: float = 1.0
    total_s: float = 5.0


class Courier:
    """Sends parcels in the background; reports each attempt to the log and each end to its owner.

    ended              called with the parcel and whether it was delivered, once per parcel
    headers_of_attempt   what an attempt's headers say beside the parcel's own
    post                 carries an attempt; over HTTP when None
    """

    def __init__(
        self,
        agenda: Agenda,
        clock: Clock,
        log: EventLog,
        patience: Patience,
        ended: Callable[[Parcel, bool], None],
        headers_of_attempt: Callable[[Parcel], Mapping[str, str]] = lambda _: {},
        post: Post | None = None,
    ) -> None:
        self._agenda = agenda
        self._clock = clock
        self._log = log
        self._patience = patience
        self._ended = ended
        self._headers_of_attempt = headers_of_attempt
        self._by_hand = post
        self._local = threading.local()
        self._opened: list[dict[tuple[str, str], http.client.HTTPConnection]] = []

    def send(self, parcel: Parcel, after_s: float = 0.0) -> None:
        """Deliver `parcel`, first attempt `after_s` simulated seconds from now."""
        self._agenda.call_at(
            self._clock.now() + timedelta(seconds=after_s), lambda: self._attempt(parcel)
        )

    def close(self) -> None:
        """Close the kept connections; only after the agenda has stopped."""
        for connections in self._opened:
            for connection in connections.values():
                connection.close()
            connections.clear()

    def _attempt(self, parcel: Parcel) -> None:
        parcel.first_at = parcel.first_at or self._clock.now()
        parcel.attempts += 1
        status, reason = parcel.status, parcel.reason = self._post(parcel)
        delivered = 200 <= status < 300
        self._log.append(
            "webhook",
            self._clock.now(),
            {
                "topic": parcel.topic,
                "delivery_id": parcel.delivery_id,
                "url": parcel.url,
                "attempt": parcel.attempts,
                "status": status,
                "reason": reason,
                "bytes": len(parcel.body),
            },
        )
        if delivered or parcel.attempts > len(self._patience.retry_after_s):
            self._ended(parcel, delivered)
        else:
            self.send(parcel, self._patience.retry_after_s[parcel.attempts - 1])

    def _post(self, parcel: Parcel) -> tuple[int, str]:
        """Status (0 when there was none) and reason. A redirect is an answer like any other: not followed."""
        if self._by_hand is not None:
            return self._by_hand(parcel.url, self._headers_of(parcel), parcel.body)
        for _ in range(2):
            connection, reused = self._connection(parcel.url)
            try:
                return self._exchange(connection, parcel)
            except (OSError, http.client.HTTPException) as failure:
                self._drop(parcel.url)
                # A kept connection may have been closed by the other side meanwhile; that says nothing of the endpoint.
                if not (
                    reused and isinstance(failure, (ConnectionError, http.client.BadStatusLine))
                ):
                    return 0, f"{type(failure).__name__}: {failure}"
        return 0, "the endpoint closes every connection"

    def _exchange(self, connection: http.client.HTTPConnection, parcel: Parcel) -> tuple[int, str]:
        begun_s = time.monotonic()
        if connection.sock is None:
            connection.timeout = self._patience.connect_s
            connection.connect()
        sock: socket.socket = connection.sock
        sock.settimeout(max(self._patience.total_s - (time.monotonic() - begun_s), 0.001))
        parts = urlsplit(parcel.url)
        target = parts.path or "/"
        target += f"?{parts.query}" if parts.query else ""
        connection.request("POST", target, body=parcel.body, headers=self._headers_of(parcel))
        answer = connection.getresponse()
        answer.read(65_536)
        if answer.will_close or not answer.isclosed():
            self._drop(parcel.url)
        return answer.status, answer.reason

    def _headers_of(self, parcel: Parcel) -> dict[str, str]:
        return {**parcel.headers, **self._headers_of_attempt(parcel)}

    def _connections(self) -> dict[tuple[str, str], http.client.HTTPConnection]:
        if not hasattr(self._local, "connections"):
            self._local.connections = {}
            self._opened.append(self._local.connections)
        kept: dict[tuple[str, str], http.client.HTTPConnection] = self._local.connections
        return kept

    def _connection(self, url: str) -> tuple[http.client.HTTPConnection, bool]:
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        kept = self._connections()
        if key in kept:
            return kept[key], True
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        kept[key] = kind(parts.netloc, timeout=self._patience.connect_s)
        return kept[key], False

    def _drop(self, url: str) -> None:
        parts = urlsplit(url)
        connection = self._connections().pop((parts.scheme, parts.netloc), None)
        if connection is not None:
            connection.close()
