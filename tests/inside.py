"""No test leaves this machine: an audit hook that refuses every other address."""

from __future__ import annotations

import socket
import sys
from typing import Any


class WayOut(BaseException):
    """A test tried to leave this machine. Not an Exception, so that no retry or fallback hides it."""


def stay_inside() -> None:
    """Refuse every way out of this machine from now on, also from code that would swallow a missing network's error."""
    if not getattr(socket, "_lockstep_stays_inside", False):
        # An audit hook cannot be taken back; set it once even when a conftest is loaded twice.
        socket._lockstep_stays_inside = True  # type: ignore[attr-defined]  # our own mark on the module
        sys.addaudithook(_stay_inside)


def _stay_inside(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        _refuse_outside(arguments[0])
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if isinstance(address, tuple):
            _refuse_outside(address[0])


def _refuse_outside(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    inside = name is None or (
        isinstance(name, str)
        and (name in ("", "localhost", "::1", "0.0.0.0", "::") or name.startswith("127."))
    )
    if not inside:
        raise WayOut(f"a test tried to reach {name!r}; tests talk to 127.0.0.1 only")
