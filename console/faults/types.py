"""Words: a fault, and what it is given to work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from console.faults.house import House
from console.faults.load import Load


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault works with while the load is on.

    hold_s    how long what can be held is held: frozen, cut, swallowed, slow
    dice      whatever a fault chooses follows from the seed
    say       told of what is done, for people
    """

    house: House
    load: Load
    hold_s: float
    dice: Random
    say: Callable[[str], None]


def _always() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    does        makes it go wrong; returns when it is over, and says what did not hold meanwhile
    missing     why it cannot be tried on this machine, "" when it can
    """

    name: str
    says: str
    does: Callable[[Scene], list[str]]
    missing: Callable[[], str] = _always
