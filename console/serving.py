"""How a door is served: nobody holds it open by sending slowly, without end, or from many connections at once.

A request that has not come whole is nobody's yet, so it may cost little: its head is bounded, it has a time, and where
too many wait for the rest of theirs, those that wait longest are let go. A sender that means it is done in
milliseconds and is never among them; no address is counted, because behind a proxy all have the same.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: A whole request, from its first byte or from the connection on; the doors give a body less.
REQUEST_S: Final = 20.0
#: A head; headers of ours and of vendors are below 8 kB.
HEAD_BYTES: Final = 65_536

_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def options(
    *,
    most: int = 512,
    keep_alive_s: int = 15,
    proxy_headers: bool = True,
    request_s: float = REQUEST_S,
) -> dict[str, Any]:
    """What uvicorn is told of a door, beside its application, host and port.

    most         connections at once; further ones are refused with 503, and half of them may wait for their sender
    request_s    how long a request may take to come
    """
    of_this_door = {"waiting": {}, "most_waiting": most // 2, "request_s": request_s}
    return {
        "http": type("Bounded", (Bounded,), of_this_door),
        # No door of ours speaks it, and its handshake would leave the bounds.
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "limit_concurrency": most,
        "timeout_keep_alive": keep_alive_s,
        "server_header": False,
        "proxy_headers": proxy_headers,
    }


class Bounded(HttpToolsProtocol):
    """One connection; it waits for its sender while no whole request of it is being answered.

    waiting         those of the same door that wait, the longest first
    most_waiting    of them at once
    request_s       how long a request may take to come
    """

    waiting: ClassVar[dict[Bounded, None]]
    most_waiting: ClassVar[int]
    request_s: ClassVar[float]

    _due: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A sender, who has said nothing yet."""
        super().connection_made(transport)
        self._wait()
        self._hurry()

    def connection_lost(self, exc: Exception | None) -> None:
        """The sender went away."""
        self._told_all()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some more of a request, or the first of it."""
        self._hurry()
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._hurry()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it has come."""
        self._told_all()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered; another may come, or what was left of it."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._wait()

    def _wait(self) -> None:
        self.waiting[self] = None
        if len(self.waiting) > self.most_waiting:
            next(iter(self.waiting))._let_go()

    def _hurry(self) -> None:
        if self._due is None:
            self._due = self.loop.call_later(self.request_s, self._let_go)

    def _told_all(self) -> None:
        self.waiting.pop(self, None)
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _let_go(self) -> None:
        self._told_all()
        # It counts no more, though the loop tells of its end only later.
        self.connections.discard(self)
        # Not close: that waits until the other side has read what it was sent.
        self.transport.abort()
