"""A real browser, where the machine has one: Debian's Chromium, driven by Playwright, against a served house."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from console.access.types import Role
from tests.browser.chromium import FOUND, QUIET
from tests.console.api_door import Api, an_api
from tests.console.pages.busy import a_busy_house
from tests.databases import Shelf
from tests.servers import Clock, Database

#: (role, width=, scheme=, scripts=, strict=) -> what that person sees.
Look: TypeAlias = Callable[..., Any]


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
        yield api
    shelf.take_back(database)


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
