"""A file that a vendor hands out by its address, read line by line: however large it is, one piece of it is in memory.

Such an address carries its own permission and leads to another host than the API, so nothing of ours goes with it: no
token, no cookie, no proxy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

import requests

from channels.base import Refused, Unavailable
from channels.http import CONNECT_S, READ_S, new_session

_PIECE: Final = 1 << 18


def lines(url: str, *, connect_s: float = CONNECT_S, read_s: float = READ_S) -> Iterator[bytes]:
    """The file's lines without their ends, as they come; empty ones are left out.

    read_s    seconds between two pieces
    raises    Unavailable when it breaks off or the host is away, Refused when the address leads nowhere (any more)
    """
    host = urlsplit(url).netloc
    try:
        with (
            new_session({}) as session,
            session.get(url, stream=True, timeout=(connect_s, read_s)) as answer,
        ):
            if answer.status_code >= 500:
                raise Unavailable(f"{host} answered {answer.status_code} for a file")
            if answer.status_code != 200:
                raise Refused(
                    f"{host} answered {answer.status_code} for a file; its address may have expired",
                    code=str(answer.status_code),
                )
            yield from split(answer.iter_content(_PIECE))
    except requests.RequestException as error:
        # Without the address, which is a permission.
        raise Unavailable(f"a file at {host} broke off: {type(error).__name__}") from None


def split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of any size, cut where the lines end."""
    rest = b""
    for piece in pieces:
        first, *others = piece.split(b"\n")
        rest += first
        for line in others:
            if rest:
                yield rest
            rest = line
    if rest:
        yield rest
