"""Browsers come in with a token and go on with a session: never the token in a page, an address or a log."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from console.access import deeds, logins, tokens
from console.access.types import Actor, Deed, Door, Outcome, Role, Token
from console.api.answers import PROBLEMS, told
from console.api.gate import form_of, refuse_elsewhere
from console.api.problems import Problem
from console.api.sessions import COOKIE
from console.api.state import House, house_of, known_of
from console.verbs.doing import doing
from ledger.db import transaction

router = APIRouter(responses=PROBLEMS, tags=["session"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {
                "schema": {
                    "type": "object",
                    "properties": {"token": {"type": "string"}},
                    "required": ["token"],
                }
            }
            for kind in ("application/json", "application/x-www-form-urlencoded")
        },
    }
}


@router.post("/login", openapi_extra={"x-verb": "session.login", "x-role": "viewer", **_BODY})
async def login(request: Request) -> Response:
    """Open a session with a token: a signed cookie that scripts cannot read and other sites cannot send."""
    refuse_elsewhere(request)
    said = _token_in(request, await request.body())
    address = request.client.host if request.client else "unknown"
    return await run_in_threadpool(_let_in, request, said, address)


@router.post("/logout", openapi_extra={"x-verb": "session.logout", "x-role": "viewer"})
def logout(request: Request) -> Response:
    """End this browser's session."""
    house, known = house_of(request), known_of(request)
    if known.session is None:
        raise Problem(
            409, "there is no session", which="cookie", next="a token needs no logout: revoke it"
        )
    with doing(house.engine, known.actor, "session.logout", {}, now=house.now):
        pass
    answer = _onward(request, {"session": None}, "/login")
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


@router.get("/session")
def session(request: Request) -> Response:
    """Who is known by this request; of a session also until when, and the word its forms must send."""
    known = known_of(request)
    said: dict[str, Any] = {"name": known.actor.name, "role": known.actor.role}
    if known.session is not None:
        said |= {"until": known.session.until, "csrf": known.session.csrf}
    return told(said)


def _let_in(request: Request, said: str, address: str) -> Response:
    house = house_of(request)
    now = house.now()
    with transaction(house.engine) as connection:
        wait_s = logins.wait_s(connection, address, now)
        found = None if wait_s else tokens.find(connection, said, now)
        if not wait_s and found is None:
            logins.failed(connection, address, now)
    if wait_s:
        raise Problem(
            429, "too many failed logins", which="address", next=f"try again in {wait_s} s",
            headers={"Retry-After": str(wait_s)},
        )  # fmt: skip
    if found is None:
        _write_refusal(house, address, now)
        raise Problem(
            401, "this token is not known, or no longer good", which="token",
            next="ask an admin for one: lockstep token create NAME --role ROLE",
        )  # fmt: skip
    actor = Actor(found.name, found.role, Door.WEB, found.id)
    with doing(house.engine, actor, "session.login", {"address": address}, now=house.now):
        return _opened(request, house, found, now)


def _write_refusal(house: House, address: str, now: datetime) -> None:
    nobody = Actor("nobody", Role.VIEWER, Door.WEB)
    deed = Deed(nobody, "session.login", "session:*", "", {"address": address})
    with transaction(house.engine) as connection:
        number = deeds.begin(connection, deed, now)
        deeds.end(
            connection, number, Outcome.REFUSED, now, "the token is not known, or no longer good"
        )


def _opened(request: Request, house: House, token: Token, now: datetime) -> Response:
    until = now + timedelta(seconds=house.settings.session_s)
    if token.expires_at is not None:
        until = min(until, token.expires_at)
    cookie = house.sessions.open(token.id, until, os.urandom(12).hex())
    said = {"name": token.name, "role": token.role, "until": until}
    answer = _onward(request, said | {"csrf": house.sessions.word(cookie)}, "/")
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=max(1, int((until - now).total_seconds())),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _token_in(request: Request, body: bytes) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        said: object = form_of(body).get("token")
    else:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        said = document.get("token") if isinstance(document, dict) else None
    if not isinstance(said, str) or not said:
        raise Problem(
            422, "no token is given", which="token", next='send {"token": "lockstep_..."}'
        )
    return said.strip()


def _onward(request: Request, said: dict[str, Any], page: str) -> Response:
    """A page for people, JSON for programs."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(page, status_code=303)
    return told(said)
