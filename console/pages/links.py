"""Where each thing is explained: every number on a page links one level down."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, urlencode

_PAGE: Final = re.compile(r"/(?![/\\])[^\x00-\x1f\x7f]*\Z")


def is_ours(page: str) -> bool:
    """Whether an address that came from outside is a page of this house.

    Two slashes begin another host; browsers take a backslash for a slash, and leave out tabs and line ends wherever
    they stand (https://url.spec.whatwg.org/#concept-basic-url-parser).
    """
    return bool(_PAGE.match(page))


def again(path: str, query: str) -> str:
    """The page that was just asked for."""
    return f"/{path.lstrip('/')}" + (f"?{query}" if query else "")


def sku(name: str, **more: Any) -> str:
    """All that is known of a SKU."""
    return f"/sku/{quote(name, safe='')}{_query(more)}"


def reorder(name: str) -> str:
    """What a SKU is forecast and ordered by."""
    return f"/reorder/{quote(name, safe='')}"


def explain(name: str, channel: str, location: str | None = None, **more: Any) -> str:
    """The arithmetic of a number."""
    return "/explain" + _query({"sku": name, "channel": channel, "location": location, **more})


def channel(name: str) -> str:
    """A channel's queue and pushes."""
    return "/pushes" + _query({"channel": name})


def drift(number: int) -> str:
    """A difference with its evidence."""
    return f"/drift/{number}"


def halts(**more: Any) -> str:
    """Halts of a channel or SKU."""
    return "/halts" + _query(more)


def push(number: int) -> str:
    """A push with its answer."""
    return f"/pushes/{number}"


def order(name: str, channel: str | None = None) -> str:
    """What the book knows of an order."""
    return "/order" + _query({"order": name, "channel": channel})


def event(name: Any) -> str:
    """A row of the ledger with its postings."""
    return f"/events/{name}"


def delivery(number: int) -> str:
    """A delivery in the inbox."""
    return f"/inbox/{number}"


def incident(number: int) -> str:
    """An incident with its alarms."""
    return f"/incidents/{number}"


def rules(version: int) -> str:
    """A version of the rules."""
    return f"/rules/{version}"


def document(number: int) -> str:
    """An EDI document as it was exchanged."""
    return f"/edi/{number}"


def standing(seller_sku: str, channel: str) -> str:
    """How a SKU stands at Amazon, and what that follows from."""
    return "/amazon/standing" + _query({"channel": channel, "sku": seller_sku})


def page(path: str, query: dict[str, Any], **more: Any) -> str:
    """The same list with something else asked."""
    return path + _query({**query, **more})


def _query(said: dict[str, Any]) -> str:
    kept = {name: value for name, value in said.items() if value not in (None, "", False)}
    return f"?{urlencode(kept)}" if kept else ""
