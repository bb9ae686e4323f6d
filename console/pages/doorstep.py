"""Before the gate, for browsers: static files to anybody, the login page to who is not known, and errors as pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.api.gate import HEADERS
from console.api.problems import TYPE, of
from console.api.problems import answer as answer_of
from console.pages import links, static_files
from console.pages.rendering import Renderer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Where somebody wanted to go before they had to log in.
WANTED: Final = "lockstep_wanted"
_WANTED_S: Final = 600
_ONCE_MORE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0">'
    "<title>Lockstep</title></html>"
)


class Doorstep:
    """Wraps the gate; what is not for a browser passes untouched."""

    def __init__(self, app: ASGIApp, *, renderer: Renderer) -> None:
        self._app = app
        self._renderer = renderer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the pages what the API would answer for programs."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        path = request.url.path
        if path.startswith(static_files.PREFIX) and request.method in ("GET", "HEAD"):
            await _with_headers(static_files.answer(request))(scope, receive, send)
            return
        if not is_page(request):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Turned(self, request, scope, receive, send).send)

    def instead(self, request: Request, status: int, said: dict[str, Any]) -> Response:
        """The page in the place of a problem."""
        path = request.url.path
        if status == 401 and path != "/login":
            return self._to_login(request)
        if path == "/login" and status in (401, 403, 422, 429):
            return self._renderer.answer(request, "login.html", status=status, problem=said)
        return self._renderer.answer(request, "problem.html", status=status, problem=said)

    def _to_login(self, request: Request) -> Response:
        if request.headers.get("hx-request"):
            # A part of a page asked: the whole page must go to the login.
            return Response(status_code=401, headers={"HX-Refresh": "true"})
        if request.method not in ("GET", "HEAD"):
            said = {"detail": "your session is over: log in, then do it again", "next": ""}
            return self._renderer.answer(request, "login.html", status=401, problem=said)
        if request.headers.get("sec-fetch-site") == "cross-site":
            # A link on another site sends no cookie along; asked for once more by our own page, it comes.
            return Response(_ONCE_MORE, media_type="text/html")
        answer = RedirectResponse("/login", status_code=303)
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if wanted != "/":
            answer.set_cookie(
                WANTED,
                quote(wanted, safe=""),
                max_age=_WANTED_S,
                path="/",
                httponly=True,
                samesite="lax",
            )
        return answer


def wanted_of(request: Request) -> str | None:
    """The page of this house that somebody wanted before they logged in."""
    said = unquote(request.cookies.get(WANTED, ""))
    return said if links.is_ours(said) else None


def is_page(request: Request) -> bool:
    """Whether a browser asks for something to be read."""
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and not request.url.path.startswith("/api/")


def mistaken(renderer: Renderer, request: Request, error: Exception) -> Response:
    """What nobody foresaw, as a page for a browser and as a problem for programs: behind it the connection ends."""
    problem = answer_of(of(error))
    if not is_page(request):
        return problem
    said = orjson.loads(problem.body)
    page = renderer.answer(request, "problem.html", status=problem.status_code, problem=said)
    if "retry-after" in problem.headers:
        page.headers["retry-after"] = problem.headers["retry-after"]
    return _with_headers(page)


class _Turned:
    """Passes an answer on, but for a problem: that is read whole and told as a page."""

    def __init__(
        self, door: Doorstep, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._door, self._request = door, request
        self._scope, self._receive, self._send = scope, receive, send
        self._status = 0
        self._kept: dict[str, str] = {}
        self._body: bytearray | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = {name.decode(): value.decode() for name, value in message["headers"]}
            if headers.get("content-type", "").startswith(TYPE):
                self._status, self._body = message["status"], bytearray()
                self._kept = {n: headers[n] for n in ("retry-after",) if n in headers}
                return
        if self._body is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            said = orjson.loads(bytes(self._body))
            answer = self._door.instead(self._request, self._status, said)
            answer.headers.update(self._kept)
            await _with_headers(answer)(self._scope, self._receive, self._send)


def _with_headers(answer: Response) -> Response:
    """What a browser must obey, as behind the gate."""
    if "cache-control" not in answer.headers:
        answer.headers["cache-control"] = "no-store"
    for name, value in HEADERS:
        answer.headers[name.decode()] = value.decode()
    return answer
