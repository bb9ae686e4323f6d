"""Words of access: roles, doors, who acts, what a verb is, and what a deed came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What somebody may do, the least first; each may do all that those before may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    LEAD = "lead"
    ADMIN = "admin"

    def covers(self, other: Role) -> bool:
        """Whether this role may do what the other may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Door(StrEnum):
    """Where somebody came in."""

    CLI = "cli"
    API = "api"
    WEB = "web"
    SYSTEM = "system"


class Outcome(StrEnum):
    """How a deed ended; one that has no end was cut off: its process died."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    name        of the token, or of the user of this machine
    token_id    the token that says so; None at the command line
    """

    name: str
    role: Role
    door: Door
    token_id: int | None = None


@dataclass(frozen=True, slots=True)
class Verb:
    """What can be done to something.

    name    as the command line says it, with dots: `halt.set`
    role    the lowest that may
    kind    of what it is done to;  of   the arguments that name that, in this order
    """

    name: str
    role: Role
    kind: str
    of: tuple[str, ...] = ()

    def object(self, said: Mapping[str, Any]) -> str:
        """What it is done to, as `kind:name`; `*` where no argument names it."""
        named = [_text(said[name]) for name in self.of if said.get(name) not in (None, "", (), [])]
        return f"{self.kind}:{'/'.join(named) or '*'}"[:300]


def _text(said: Any) -> str:
    return ",".join(map(str, said)) if isinstance(said, list | tuple) else str(said)


class Forbidden(Exception):
    """A role does not reach for a verb."""

    def __init__(self, actor: Actor, verb: Verb) -> None:
        super().__init__(
            f"{actor.name} is {actor.role}, and {verb.name} is for {verb.role} and above:"
            f" ask somebody who is, or for a token of that role"
        )
        self.verb = verb


class Refusal(Exception):
    """What was asked for is not done; the message says why and what to do next.

    faults    what is to be put right, one by one, where there is more than a sentence
    """

    def __init__(self, message: str, *, faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class Unknown(Refusal):
    """Something is named that is not there."""


class Unfit(Refusal):
    """What was handed in has faults, and nothing of it was taken; `faults` name them."""


class NotApplied(Refusal):
    """It was taken, and the book did not apply it: it waits, or is parked, with its reason."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret, of which only a hash is kept.

    last_used_at    within a minute
    """

    id: int
    name: str
    role: Role
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str

    def is_good(self, now: datetime) -> bool:
        """Whether it opens a door."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody asked of the house.

    object       what it was asked of, as `kind:name`
    arguments    without secrets
    """

    actor: Actor
    verb: str
    object: str
    reason: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
