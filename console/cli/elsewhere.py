"""Commands that ask a house's API instead of its database: LOCKSTEP_URL and LOCKSTEP_TOKEN say which, and who asks."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from console.cli.common import Failed, house, sentences
from console.views.listing import EVERY, MOST, Listing, Page, page
from ledger.db import transaction
from workers.settings import settings

_WAIT_S: Final = 30
_REFUSED: Final = frozenset({403, 409})


class Elsewhere:
    """A house that is spoken to over HTTP; who acts is the token, whatever `--by` says."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url.rstrip('/')}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

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

    def do(self, path: str, **body: Any) -> Any:
        """Change something; the house writes down that this token asked."""
        return self._asked("POST", path, json={n: v for n, v in body.items() if v is not None})

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
            return said
        next_ = f"; {said['next']}" if said.get("next") else ""
        raise Failed(
            f"{said.get('detail', answer.reason)}{next_}",
            code=5 if answer.status_code in _REFUSED else 1,
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
    plain = {name: value for name, value in said.items() if value not in (None, "")}
    return {n: str(v).lower() if isinstance(v, bool) else v for n, v in plain.items()}


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
