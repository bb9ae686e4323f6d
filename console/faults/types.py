"""Words: a fault, and what it is given to work with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
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
    home        makes a place for a house of its own, in a folder that is given; None: done to the house of all others
    release     the house begins as it was at this commit, on the schema before the newest migration; "": as it is
    """

    name: str
    says: str
    does: Callable[[Scene], list[str]]
    missing: Callable[[], str] = _always
    home: Callable[[Path], AbstractContextManager[Path]] | None = None
    release: Callable[[], str] | None = None

    @property
    def is_alone(self) -> bool:
        """Whether it is done to a house of its own."""
        return self.home is not None or self.release is not None
