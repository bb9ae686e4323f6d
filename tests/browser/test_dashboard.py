"""The dashboard in a real browser: every page, by mouse and keyboard, wide and narrow, light and dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # ships no types

from console.access.types import Role
from console.pages.rendering import MENU
from tests.browser.conftest import Look
from tests.console.api_door import Api

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SKU = "/sku/MUG-RED?at=2026-03-02+12:30&hours=168"
PAGES = [address for _, address in MENU] + [
    SKU, "/drift/1", "/drift?all=1", "/incidents/1", "/pushes/1",
    "/pushes/sent", "/inbox", "/inbox/1", "/search?q=MUG", "/order?order=1001", "/rules/1", "/failed/1",
    "/reorder/LAMP", "/levels", "/amazon/aged", "/amazon/send-in",
]  # fmt: skip


def test_no_page_complains_or_is_wider_than_the_screen(looked_at_by: Look) -> None:
    wide = []
    for width, scheme in ((1280, "light"), (390, "dark")):
        seen = looked_at_by(Role.ADMIN, width=width, scheme=scheme)
        for address in PAGES:
            page = seen.go(address)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
                wide.append((width, address))
        assert seen.complaints == []

    assert wide == []


# Only the colours differ in the dark.
@pytest.mark.parametrize(
    ("scheme", "pages", "rules"),
    [
        ("light", PAGES, {}),
        ("dark", ["/", "/halts", "/runs", SKU], {"runOnly": ["color-contrast"]}),
    ],
    ids=["light", "dark"],
)
def test_every_page_can_be_used_by_everybody(
    looked_at_by: Look, scheme: str, pages: list[str], rules: dict[str, list[str]]
) -> None:
    # Our pages' own policy would keep the judge's script out, too.
    seen = looked_at_by(Role.OPERATOR, scheme=scheme, strict=False)
    found = {}
    for address in pages:
        page = seen.go(address)
        result = Axe().run(page, options={"resultTypes": ["violations"]} | rules)
        if result.violations_count:
            found[address] = [
                (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
                for each in result.response["violations"]
            ]

    assert found == {}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/reorder", "LAMP"),
        ("/reorder/LAMP", "Order at"),
        ("/amazon/aged", "LAMP-1"),
        ("/amazon/send-in", "no room"),
        ("/review", "Integrations, the most brittle first"),
    ],
)
def test_what_is_planned_can_be_read_without_scrolling_sideways(
    looked_at_by: Look, address: str, shown: str
) -> None:
    page = looked_at_by(Role.VIEWER).go(address)

    tables = page.locator("table.dense")

    assert shown in page.inner_text("main")
    assert tables.count() > 0
    assert (
        tables.evaluate_all(
            "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).length"
        )
        == 0
    )


def test_a_halt_is_set_and_lifted_by_hand(seen_by: Look, api: Api) -> None:
    seen = seen_by(Role.LEAD)
    page = seen.go("/sku/MUG-BLUE")

    page.select_option("form[action='/do/halt.set'] select[name=channel]", "shop")
    page.fill("form[action='/do/halt.set'] input[name=reason]", "the box is empty")
    page.click("form[action='/do/halt.set'] button")
    page.wait_for_selector(".said.good")
    halted = page.inner_text("main")
    page.fill("form[action='/do/halt.lift'] input[name=reason]", "it was found")
    page.click("form[action='/do/halt.lift'] button")
    page.wait_for_selector(".said.good")

    assert "Off sale on shop" in halted
    assert "goes back on sale" in page.inner_text("main")
    deeds = [(deed["verb"], deed["door"], deed["outcome"]) for deed in api.deeds()]
    assert deeds[-2:] == [("halt.set", "web", "done"), ("halt.lift", "web", "done")]
    assert seen.complaints == []


def test_who_may_not_sees_the_control_and_why(looked_at_by: Look) -> None:
    page = looked_at_by(Role.VIEWER).go("/halts")

    button = page.locator("form[action='/do/halt.set'] button")

    assert button.is_disabled()
    assert button.get_attribute("title") == "for operator and above; you are viewer"


def test_now_follows_the_house_while_somebody_looks(seen_by: Look, api: Api) -> None:
    page = seen_by(Role.VIEWER).go("/")
    assert "1 SKU halted" in page.inner_text("h1")

    api.run("UPDATE halt SET state = 'lifted', lifted_at = now()")

    page.locator("h1", has_text="0 SKUs halted").wait_for(timeout=30_000)


def test_limits_come_once_the_page_is_there(looked_at_by: Look) -> None:
    seen = looked_at_by(Role.VIEWER)
    page = seen.go("/")

    page.locator("section[aria-labelledby=limits]", has_text="Redis does not answer").wait_for()

    assert seen.complaints == []


def test_the_chart_is_drawn_in_steps(looked_at_by: Look) -> None:
    seen = looked_at_by(Role.VIEWER)
    page = seen.go("/sku/MUG-RED")

    page.wait_for_selector("#chart canvas")

    assert "should against shown" in page.inner_text("#chart figcaption")
    assert seen.complaints == []


def test_the_keyboard_goes_everywhere(looked_at_by: Look) -> None:
    seen = looked_at_by(Role.VIEWER)
    page = seen.go("/")

    page.keyboard.press("g")
    page.keyboard.type("recon")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs")
    page.keyboard.press("/")
    page.keyboard.type("MUG-RED")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sku/MUG-RED")

    assert seen.complaints == []


def test_everything_works_without_scripts(seen_by: Look) -> None:
    page = seen_by(Role.OPERATOR, scripts=False).go("/")

    page.fill(
        "article:has-text('shop') form[action='/do/channel.pause'] input[name=reason]",
        "stocktaking",
    )
    page.click("article:has-text('shop') form[action='/do/channel.pause'] button")

    assert "shop is paused" in page.inner_text(".said")
