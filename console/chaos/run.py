"""Many schedules in several processes, each with a database of its own; what failed, and the shortest form of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from channels.simulators.clock import Clock
from console.chaos import books
from console.chaos.direct import Director, play
from console.chaos.house import BEGINS, House, found, people, subscribe
from console.chaos.mortal import mortal_engine
from console.chaos.plans import plan_of, shrunk
from console.chaos.stage import Stage
from console.chaos.types import CALM, Outcome, Plan

_SHOWN = "SELECT channel, sku, location, units FROM shown"
#: Simulated seconds in which the first numbers are shown.
_OPENS_S: Final = 120


class Theatre:
    """One process's database, stage and opening; schedule after schedule is played in it.

    superuser_url, app_url    of the server, with `{database}` to be filled in
    template                  a migrated database
    """

    def __init__(self, superuser_url: str, app_url: str, template: str, name: str) -> None:
        self._superuser, self._app = superuser_url.replace("+psycopg", "", 1), app_url
        self._template, self._name = template, name
        self._worn = 0
        self._stage = Stage()
        self._make(template)
        with books.keeper(self._superuser.format(database=name)) as connection:
            self.shown = self._open()
            self._opening = books.opening_of(connection)

    def close(self) -> None:
        """Remove the database."""
        self._engine.dispose()
        books.drop(self._superuser.format(database="postgres"), self._name)

    def play(self, plan: Plan, *, keep_trace: bool = False) -> Outcome:
        """One schedule, from the opening on."""
        self._restore()
        return play(
            plan,
            self._engine,
            self._stage,
            Clock.held(BEGINS),
            self.shown,
            keep_trace=keep_trace,
        )

    def _make(self, template: str) -> None:
        books.copy(self._superuser.format(database="postgres"), self._name, template)
        self._engine: Engine = mortal_engine(self._app.format(database=self._name), self._stage)

    def _restore(self) -> None:
        if books.is_worn(self._worn):
            self.close()
            self._make(self._template)
            self._worn = 0
        with books.keeper(self._superuser.format(database=self._name)) as connection:
            self._worn += self._opening.restore(connection)

    def _open(self) -> dict[tuple[str, str, str], int]:
        """Open the house once, with nothing going wrong; what its vendors show then."""
        house = House(
            self._engine, Clock.held(BEGINS), self._stage, Random("the opening"), weather=CALM
        )
        director = Director(Plan(0, CALM, ()), house, self._stage)
        with people(house, {}, director.later):
            subscribe(house)
            found(house)
            director.until(_OPENS_S)
            return {
                (row.channel, row.sku, row.location): row.units for row in house.rows(_SHOWN)
            }
