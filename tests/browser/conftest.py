"""A real browser, where the machine has one: Debian's Chromium, driven by Playwright, against a served house."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import text

from console.access.types import Role
from console.review import report
from tests.browser.chromium import FOUND, QUIET
from tests.builders import a_fact, book, stock_the_house
from tests.console.api_door import Api, an_api
from tests.console.pages.busy import a_busy_house
from tests.databases import Shelf
from tests.servers import Clock, Database
from workers.flows import forecasting

#: (role, width=, scheme=, scripts=, strict=) -> what that person sees.
Look: TypeAlias = Callable[..., Any]


_AT_AMAZON: Final = """
    INSERT INTO fba_standing (channel, seller_sku, sku, location, on_hand, available, inbound, per_day, days_of_supply,
                              excess_units, sell_through, stranded_units, oldest_days, aged_units, surcharge,
                              removal_units, saved, fee, net, why, held_back, send_units, send_cartons, send_from,
                              short_units, short_why, stood_at)
    SELECT 'shop', 'LAMP-' || n, 'LAMP', 'WH', 13, 12, 5, 0.1, 170, 8, 0.4, 2, 200, 3, 1.5, 3, 9.5, 2.52, 6.98,
           '3 of 13 will pass 180 days unsold; 130 days of supply',
           CASE WHEN n = 3 THEN 'shop at WH is off by +20 since 2026-03-02 12:00 (swallowed_update)' ELSE '' END,
           12, 1, '{"WH": 12}', 4, 'no room: 42.00 cubic feet are the limit', CAST(:now AS timestamptz)
    FROM generate_series(1, 3) AS n
"""


@dataclass
class Seen:
    """A browser that somebody is logged in with.

    complaints    what its console said of errors and warnings
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def go(self, address: str) -> Page:
        """Open a page of the house; scripts have run then, and what they ask for by themselves is there."""
        self.page.goto(f"{self.url}{address}")
        if self.page.locator("a.charted[data-first]").count():
            self.page.wait_for_selector("#chart canvas")
        return self.page

    def log_in(self, token: str) -> None:
        """Become who the token says."""
        self.go("/login")
        self.page.fill("input[name=token]", token)
        self.page.click("main button")
        self.page.wait_for_url(f"{self.url}/")


# Not for the session: while Playwright runs, its event loop is the thread's, and other tests need their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if FOUND is None:
        pytest.skip(
            "there is no Chromium here (Debian: apt-get install chromium): no page was tried in a browser"
        )
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=FOUND, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    """A house of the test's own, which it may change."""
    with an_api(database, clock, tmp_path) as api:
        a_busy_house(database, clock)
        yield api


@pytest.fixture(scope="module")
def shared_api(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The same house for all who only look."""
    database, clock = shelf.lend(), Clock()
    with an_api(database, clock, tmp_path_factory.mktemp("house")) as api:
        a_busy_house(database, clock)
        _plan(database, clock)
        yield api
    shelf.take_back(database)


def _plan(database: Database, clock: Clock) -> None:
    """What planning and the review of a quarter have to show: a forecast, lines to order, stock that lies at Amazon."""
    now, engine = clock.now, database.engine
    stock_the_house(engine, skus=("LAMP",), locations=())
    orders = [
        a_fact(
            "order", id=f"week-{week}", order=f"week-{week}", channel="shop", sku="LAMP", location="WH",
            units=3 + week % 4, occurred_at=now - timedelta(weeks=week),
        )
        for week in range(1, 40)
    ]  # fmt: skip
    book(engine, *orders, now=now)
    forecasting.run(engine, lambda: now)
    report.make(
        engine, (now - timedelta(days=90)).date(), (now + timedelta(days=1)).date(), by="ann", now=lambda: now
    )  # fmt: skip
    with database.owner.begin() as connection:
        connection.execute(text(_AT_AMAZON), {"now": now})


@pytest.fixture
def seen_by(chromium: Browser, api: Api) -> Iterator[Look]:
    """A function: the test's own house as seen by a role, in a width and a scheme."""
    yield from _looking(chromium, api)


@pytest.fixture
def looked_at_by(chromium: Browser, shared_api: Api) -> Iterator[Look]:
    """The same of the shared house."""
    yield from _looking(chromium, shared_api)


def _looking(chromium: Browser, api: Api) -> Iterator[Look]:
    contexts = []

    def look(
        role: Role = Role.ADMIN,
        *,
        width: int = 1280,
        scheme: Literal["light", "dark"] = "light",
        scripts: bool = True,
        strict: bool = True,
    ) -> Seen:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
            bypass_csp=not strict,
        )
        contexts.append(context)
        seen = Seen(context.new_page(), api.url)
        seen.page.on("console", lambda said: _complain(seen, said.type, said.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.log_in(api.tokens[role])
        return seen

    yield look
    for context in contexts:
        context.close()


def _complain(seen: Seen, kind: str, words: str) -> None:
    if kind in ("error", "warning"):
        seen.complaints.append(f"{seen.page.url}: {words}")
