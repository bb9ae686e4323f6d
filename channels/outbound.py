"""Calls to addresses that somebody typed in: they reach the internet, and nothing inside unless a network is named.

Where a name leads is judged when the connection is made (`channels.reach`), by the same rule as for every other call.
No redirect is followed (`channels.http`), and of the answer no more than its beginning is read, as it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from channels.addresses import Address, Bounds, Network, is_among, literal, why_not
from channels.reach import LookUp, Reach, Refusal, looked_up

#: Of an answer no more is read: nobody needs it.
ANSWER_BYTES: Final = 4096
_LONGEST: Final = 2000
_TO_DO: Final = "name its network in LOCKSTEP_HOOK_NETWORKS if it is meant"


class Unsafe(ValueError):
    """An address that is not called; the message says why and what to do."""


def check(url: str, inside: Sequence[Network] = ()) -> None:
    """Refuse what could never be called, without looking up a name.

    inside    networks that may be called though they are not of the internet, and without TLS
    raises    Unsafe
    """
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise Unsafe("an address is plain text without blanks, of at most 2000 characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Unsafe(f"this is no address: {error}") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise Unsafe("write the whole address, such as https://example.com/hooks")
    if parts.username is not None or parts.password is not None:
        raise Unsafe("leave name and password out of the address: the signature proves who calls")
    if parts.fragment or port == 0:
        raise Unsafe("leave out what is behind #, and use a port that there is")
    if parts.scheme == "http" and not inside:
        raise Unsafe("use https; without it only networks of LOCKSTEP_HOOK_NETWORKS are called")
    address = literal(parts.hostname)
    if address is not None and (why := why_not(parts.hostname, address, _bounds(inside))):
        raise Unsafe(why)


def host_of(url: str) -> str:
    """The host of an address as somebody typed it; empty where it has none, or is no address at all."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_fit(address: Address, inside: Sequence[Network] = ()) -> bool:
    """Whether an address is one of the internet, or of a network that was named."""
    return not why_not(str(address), address, _bounds(inside))


def _bounds(inside: Sequence[Network]) -> Bounds:
    return Bounds(named=tuple(inside), for_here=_TO_DO, for_inside=_TO_DO)


def _refusal(inside: Sequence[Network]) -> Refusal:
    bounds = _bounds(inside)

    def refusal(host: str, address: Address, plain: bool) -> str:
        why = why_not(host, address, bounds)
        if not why and plain and not is_among(address, bounds.named):
            return f"{host} is called without TLS: use https"
        return why

    return refusal


class Guarded(Reach):
    """An adapter for `channels.http` that keeps to what is said above.

    inside     networks that may be called though they are not of the internet, and without TLS
    look_up    finds the addresses of a name
    """

    def __init__(self, inside: Sequence[Network] = (), look_up: LookUp = looked_up) -> None:
        refusal = _refusal(inside)
        super().__init__(
            refusal=refusal, look_up=look_up, pool_connections=1, pool_maxsize=1, max_retries=0
        )

    def send(self, request: requests.PreparedRequest, *args: Any, **said: Any) -> requests.Response:
        """Send a request; of the answer's body the beginning, not unpacked."""
        answer = super().send(request, *args, **{**said, "stream": True})
        answer._content = answer.raw.read1(ANSWER_BYTES, decode_content=False)
        answer.close()
        return answer
