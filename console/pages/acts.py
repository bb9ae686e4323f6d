"""Forms that change something: each names its verb, asks as the API does, and goes back to the page it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from console.access.types import Refusal
from console.api.gate import form_of
from console.api.state import Act, Reading, act_of
from console.pages import (
    links,
    sheets_book,
    sheets_feed,
    sheets_planning,
    sheets_sale,
    sheets_trade,
)
from console.pages.asked import renderer_of
from console.pages.rendering import say
from console.pages.sheets import Faults, Sheet

#: Every form, by its verb.
DOINGS: Final[dict[str, Sheet[Any]]] = {
    sheet.verb: sheet
    for sheet in (
        *sheets_sale.SHEETS,
        *sheets_book.SHEETS,
        *sheets_trade.SHEETS,
        *sheets_feed.SHEETS,
        *sheets_planning.SHEETS,
    )
}
router = APIRouter(include_in_schema=False)


async def _form(request: Request) -> dict[str, str]:
    said = form_of(await request.body())
    return {name: value.strip().replace("\0", "") for name, value in said.items()}


def _route(sheet: Sheet[Any]) -> None:
    async def post(request: Request, form: dict[str, str] = Depends(_form)) -> Response:  # noqa: B008 -- FastAPI's way
        return await run_in_threadpool(_done, request, form, sheet)

    def get(request: Request, reading: Reading) -> Response:
        said = {name: value.replace("\0", "") for name, value in request.query_params.items()}
        said |= {"id": str(uuid4())} | sheet.begin(reading, said)
        return _page(request, sheet, said)

    path = f"/do/{sheet.verb}"
    router.add_api_route(
        path, post, methods=["POST"], name=sheet.verb, openapi_extra={"x-verb": sheet.verb}
    )
    router.add_api_route(path, get, methods=["GET"], name=f"form of {sheet.verb}")


def _done(request: Request, form: dict[str, str], sheet: Sheet[Any]) -> Response:
    """Do it for who asks, and tell on the page they came from what came of it; what is wrong is told in the form."""
    act = act_of(request)
    is_sure = form.get("confirm") == "1"
    if is_sure and any(field.name == "sure" for field in sheet.fields):
        form = form | {"sure": "1"}
    try:
        said = sheet.read(form)
    except ValidationError as error:
        return _page(request, sheet, form, faults=sheet.faults(error), status=422)
    try:
        if not is_sure and sheet.danger(said):
            return _asked_once_more(request, act, sheet, form, said)
        came = sheet.do(act, said)
    except Refusal as refusal:
        return _refused(request, sheet, form, refusal)
    if came.secret:
        return renderer_of(request).answer(request, "made.html", sheet=sheet, came=came)
    return say(RedirectResponse(_back(sheet, form), status_code=303), came.sentence)


def _asked_once_more(
    request: Request, act: Act, sheet: Sheet[Any], form: dict[str, str], said: Any
) -> Response:
    """What it would come to, found by doing it and taking it back; secrets are not made for that."""
    form = form | {"id": str(getattr(said, "id", ""))}
    came = None
    if not sheet.hands_out:
        came = sheet.do(replace(act, dry_run=True), said)
    return _page(request, sheet, form, came=came, is_confirming=True)


def _refused(
    request: Request, sheet: Sheet[Any], form: dict[str, str], refusal: Refusal
) -> Response:
    """On the form's own page beside what was written; from elsewhere there, in a sentence."""
    if form.get("own") == "1" or refusal.faults:
        faults = {"": str(refusal)}
        return _page(request, sheet, form, faults=faults, lines=refusal.faults, status=409)
    return say(RedirectResponse(_back(sheet, form), status_code=303), str(refusal), good=False)


def _page(
    request: Request,
    sheet: Sheet[Any],
    form: Mapping[str, str],
    *,
    faults: Faults | None = None,
    status: int = 200,
    **more: Any,
) -> Response:
    context = {"lines": (), "came": None, "is_confirming": False, **more}
    return renderer_of(request).answer(
        request,
        "do.html",
        status=status,
        sheet=sheet,
        form={field.name: form.get(field.name, "") for field in sheet.fields},
        faults=faults or {},
        back=_back(sheet, form),
        **context,
    )


def _back(sheet: Sheet[Any], form: Mapping[str, str]) -> str:
    """The page of this house that somebody came from."""
    back = form.get("back", "")
    return back if links.is_ours(back) else sheet.home


for _sheet in DOINGS.values():
    _route(_sheet)
