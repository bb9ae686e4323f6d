"""Commands that ask a house's API instead of its database: LOCKSTEP_URL and LOCKSTEP_TOKEN say which, and who asks.

A command says what it wants twice: as a route, and as what the database here is asked. Both are answered by the same
functions (`console.views`, `console.verbs`) and come as JSON has them, so that what is printed is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import click
from sqlalchemy import Connection

from console.access.types import Refusal
from console.cli.acting import acting
from console.cli.common import Failed, house, sentences
from console.views.listing import EVERY, MOST, BadCursor, Listing, Page, page
from console.views.plain import dumps
from ledger.db import transaction
from workers.settings import settings
from workers.wiring import Wiring

_WAIT_S: Final = 60
#: Status of an answer -> exit code; any other is 1.
_CODES: Final = {403: 5, 409: 5, 424: 4}
#: A moment as `datetime.isoformat` writes it, and nothing else: read and written again it is the same.
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?[+-]\d\d:\d\d", re.ASCII)

trying = click.option(
    "--dry-run",
    is_flag=True,
    help="Do it whole, print what comes of it, and take it back: nothing is changed.",
)


class Elsewhere:
    """A house that is spoken to over HTTP; who acts is the token, whatever `--by` says."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url.rstrip('/')}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def rows(self, path: str, limit: int | None = None, **said: Any) -> list[dict[str, Any]]:
        """A list, page by page.

        limit    rows at most; None: all
        said     the route's query; None is left out
        """
        found: list[dict[str, Any]] = []
        after: str | None = None
        while limit is None or len(found) < limit:
            most = MOST if limit is None else min(MOST, limit - len(found))
            page = self.page(path, limit=most, after=after, **said)
            found += page.rows
            after = page.after
            if after is None:
                break
        return found

    def page(self, path: str, **said: Any) -> Page:
        """One page of a list."""
        told = self._asked("GET", path, params=_said(said))
        return Page(told["items"], told["after"])

    def read(self, path: str, **said: Any) -> Any:
        """What a route says that is no list."""
        return self._asked("GET", path, params=_said(said))

    def do(self, path: str, *, dry_run: bool = False, **body: Any) -> Any:
        """Change something; the house writes down that this token asked."""
        said = {n: v for n, v in body.items() if v is not None}
        return self._asked(
            "POST", path, data=dumps(said).encode(), params={"dry_run": "true"} if dry_run else {}
        )

    def _asked(self, method: str, path: str, **more: Any) -> Any:
        # Imported here: `--help` needs no HTTP.
        import requests

        try:
            answer = requests.request(
                method,
                f"{self._url}{path}",
                headers=self._headers,
                timeout=_WAIT_S,
                allow_redirects=False,
                **more,
            )
            said = answer.json()
        except requests.exceptions.JSONDecodeError:
            raise Failed(f"{self._url} is no API of Lockstep: look at LOCKSTEP_URL") from None
        except requests.RequestException as error:
            raise Failed(f"{self._url} does not answer: {type(error).__name__}") from None
        if answer.ok:
            return revived(said)
        next_ = f"; {said['next']}" if said.get("next") else ""
        faults = said.get("faults", ())
        raise Failed(
            f"{said.get('detail', answer.reason)}{'' if faults else next_}",
            code=_CODES.get(answer.status_code, 1),
            faults=faults,
        )


def elsewhere() -> Elsewhere | None:
    """The house that the settings name by its address; None: the one whose database they name."""
    with sentences():
        wished = settings()
    if not wished.url:
        return None
    token = wished.token.get_secret_value()
    if not token:
        raise Failed("LOCKSTEP_URL is set, and LOCKSTEP_TOKEN is not: say who asks", code=2)
    return Elsewhere(wished.url, token)


def quoted(name: str) -> str:
    """A name as part of a path."""
    return quote(name, safe="")


def _said(said: dict[str, Any]) -> dict[str, Any]:
    return {name: _word(value) for name, value in said.items() if value not in (None, "")}


def _word(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case _:
            return value


def revived(value: Any) -> Any:
    """What JSON says, with its moments as moments."""
    if isinstance(value, str):
        return datetime.fromisoformat(value) if _MOMENT.fullmatch(value) else value
    if isinstance(value, list):
        return [revived(each) for each in value]
    if isinstance(value, dict):
        return {name: revived(each) for name, each in value.items()}
    return value


def asked(path: str, here: Callable[[Wiring, Connection], Any], **said: Any) -> Any:
    """What a route says, or the database here.

    here     asks it in a transaction
    said     the route's query; None is left out
    """
    if there := elsewhere():
        return there.read(path, **said)
    with house() as wiring, transaction(wiring.engine) as connection:
        try:
            return as_told(here(wiring, connection))
        except Refusal as error:
            raise Failed(str(error)) from None


def done(
    verb: str,
    path: str,
    body: dict[str, Any],
    here: Callable[[Wiring], Any],
    *,
    dry_run: bool = False,
) -> Any:
    """Do a verb there or here, and return what came of it.

    body       what the route is sent; None is left out
    here       does it with the database
    dry_run    it is done and taken back; that is said on stderr
    """
    if there := elsewhere():
        told = there.do(path, dry_run=dry_run, **body)
    else:
        with acting(verb, rehearse=dry_run) as wiring:
            told = as_told(here(wiring))
    if dry_run:
        click.echo("dry run: nothing was changed", err=True)
    return told


def as_told(value: Any) -> Any:
    """A value as the API would have told it."""
    return revived(json.loads(dumps(value)))


def listed(
    listing: Listing,
    path: str,
    said: dict[str, Any],
    *,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Rows of a list, from the API or the database.

    path     where the API has it
    said     its parameters, which the API's route names alike
    limit    rows at most; None: all
    """
    if there := elsewhere():
        return there.rows(path, limit, **said)
    with house() as wiring, transaction(wiring.engine) as connection:
        return page(connection, listing, said, limit=limit or EVERY).rows


def paged(
    path: str, said: dict[str, Any], here: Callable[[Connection], Page], **paging: Any
) -> Page:
    """One page of a list, from the API or the database; paging: limit and after."""
    if there := elsewhere():
        return there.page(path, **said, **paging)
    with house() as wiring, transaction(wiring.engine) as connection:
        try:
            found = here(connection)
        except BadCursor as error:
            raise click.UsageError(str(error)) from None
    return Page(as_told(found.rows), found.after)
