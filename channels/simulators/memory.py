"""A vendor in the caller's own thread: calls go to an ASGI app without a socket.

Nothing here waits and nothing runs beside the caller, so that what happens follows from the caller's clock and order
alone. An answer that is broken on purpose breaks as it would on a socket; a fault that takes time (`latency`) cannot be
played here.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from starlette.applications import Starlette
from urllib3 import HTTPHeaderDict, HTTPResponse

from channels.simulators.clock import Clock


@dataclass(frozen=True, slots=True)
class Answer:
    """What an app answered; `whole` is False when it broke off or never began (status 0)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool

    def as_urllib3(self, at: datetime) -> HTTPResponse:
        """As a session builds its own answers of it; dated `at` unless the app dates it itself."""
        headers = HTTPHeaderDict(self.headers)
        if "date" not in headers:
            headers["date"] = format_datetime(at, usegmt=True)
        return HTTPResponse(
            BytesIO(self.body), headers=headers, status=self.status, preload_content=False
        )


def ask(app: Starlette, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Hand one request to an app in this thread. Raises RuntimeError when the app waits for something."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    running = app(_scope(method, url, headers), receive, send)
    try:
        running.send(None)
    except StopIteration:
        pass
    else:
        running.close()
        raise RuntimeError(f"{method} {url}: the simulator waits for something; play it over HTTP")
    if not sent:
        return Answer(0, (), b"", whole=False)
    said = tuple((name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"])
    whole = len(sent) > 1 and not sent[-1].get("more_body", False)
    return Answer(
        int(sent[0]["status"]), said, b"".join(m.get("body", b"") for m in sent[1:]), whole
    )


class Wire(HTTPAdapter):
    """What a session mounts for one vendor's address."""

    def __init__(self, app: Starlette, clock: Clock) -> None:
        super().__init__()
        self._app, self._clock = app, clock

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: object = True,
        cert: object = None,
        proxies: object = None,
    ) -> requests.Response:
        """One call. Raises `requests.ConnectionError` where a socket would break."""
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        assert isinstance(raw, bytes), "a body that is streamed has no place here"
        answer = ask(
            self._app, request.method or "GET", request.url or "", dict(request.headers), raw
        )
        if not answer.whole:
            raise requests.ConnectionError("the connection broke", request=request)
        return self.build_response(request, answer.as_urllib3(self._clock.now()))


def _scope(method: str, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": parts.scheme,
        "path": unquote(parts.path) or "/",
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(n.lower().encode(), v.encode("latin-1")) for n, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": (parts.hostname or "", parts.port or 80),
    }
