"""What the routes share, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from sqlalchemy import Connection, Engine, text

from console.access.rights import may
from console.access.types import Actor, Role
from console.api.gate import Known
from console.api.problems import Problem
from console.api.sessions import Sessions
from console.verbs.doing import doing, rehearsing
from workers.settings import Settings
from workers.wiring import Wiring

_READ_ONLY = text("SET TRANSACTION READ ONLY")


@dataclass(frozen=True, slots=True)
class House:
    """What a request may use."""

    wiring: Wiring
    sessions: Sessions
    now: Callable[[], datetime]

    @property
    def engine(self) -> Engine:
        """PostgreSQL."""
        return self.wiring.engine

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return self.wiring.settings


@dataclass(frozen=True, slots=True)
class Act:
    """A verb, for who asks for it."""

    house: House
    actor: Actor
    verb: str
    dry_run: bool = False

    @property
    def by(self) -> str:
        """Who it is, for flows that keep the name."""
        return self.actor.name

    @property
    def engine(self) -> Engine:
        """PostgreSQL."""
        return self.house.engine

    def now(self) -> datetime:
        """The clock."""
        return self.house.now()

    @contextmanager
    def doing(self, said: Mapping[str, Any], reason: str = "") -> Iterator[None]:
        """Do it in this block: written down before, and how it ended after. A dry run is done, and taken back."""
        if self.dry_run:
            with rehearsing(self.engine, self.actor, self.verb):
                yield
            return
        with doing(self.engine, self.actor, self.verb, said, reason=reason, now=self.house.now):
            yield


def house_of(request: Request) -> House:
    """What the application was made with."""
    house: House = request.app.state.house
    return house


def known_of(request: Request) -> Known:
    """Who asks; the gate let them in."""
    known: Known | None = request.state.known
    if known is None:
        raise Problem(401, "nobody is known by this request", which="authorization")
    return known


def act_of(request: Request, *, dry_run: bool = False) -> Act:
    """The route's verb, for who asks. Raises Forbidden, which is written down with what the address names."""
    house = house_of(request)
    verb: str = request.scope["route"].openapi_extra["x-verb"]
    act = Act(house, known_of(request).actor, verb, dry_run)
    if not may(act.actor.role, verb):
        with replace(act, dry_run=False).doing(request.path_params):
            pass
    return act


def act_asked(
    request: Request,
    dry_run: Annotated[
        bool, Query(description="Do it whole, answer, and take it back: nothing is changed.")
    ] = False,
) -> Act:
    """As `act_of`, for routes that can be tried."""
    return act_of(request, dry_run=dry_run)


def needs(role: Role) -> Callable[[Request], None]:
    """A route that only reads, and not for everybody."""

    def check(request: Request) -> None:
        actor = known_of(request).actor
        if not actor.role.covers(role):
            raise Problem(
                403,
                f"{actor.name} is {actor.role}, and this is for {role} and above",
                which=request.url.path,
                next="use a token of a higher role",
            )

    return check


def reading(request: Request) -> Iterator[Connection]:
    """A transaction to read in; the database sees to it that nothing is written."""
    # Begun in one thread and ended in another, which `ledger.db.transaction` does not bear.
    with house_of(request).engine.begin() as connection:
        connection.execute(_READ_ONLY)
        yield connection


def act_firm(request: Request) -> Act:
    """As `act_of`, for routes that cannot be tried."""
    return act_of(request)


TheHouse = Annotated[House, Depends(house_of)]
TheAct = Annotated[Act, Depends(act_asked)]
#: Of what cannot be taken back: it calls a door of ours, or hands out a secret.
TheFirmAct = Annotated[Act, Depends(act_firm)]
Reading = Annotated[Connection, Depends(reading)]
