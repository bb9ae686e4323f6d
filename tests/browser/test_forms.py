"""Forms by hand: by keyboard alone, without scripts, judged for accessibility, asked twice where it counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # ships no types

from console.access.types import Role
from tests.console.api_door import Api
from tests.console.pages.test_forms import RULES

Look = Callable[..., Any]
pytestmark = pytest.mark.browser


def test_forms_and_their_faults_can_be_used_by_everybody(seen_by: Look) -> None:
    seen = seen_by(Role.ADMIN, strict=False)
    found = {}
    for verb in ("alloc.apply?from=1", "count.submit", "halt.set", "token.create"):
        page = seen.go(f"/do/{verb}")
        if verb == "count.submit":
            page.click("main form button")
            page.wait_for_selector("#faults")
        result = Axe().run(page)
        if result.violations_count:
            found[verb] = [
                (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
                for each in result.response["violations"]
            ]

    assert found == {}


def test_rules_are_changed_after_their_difference_was_seen(seen_by: Look, api: Api) -> None:
    seen = seen_by(Role.LEAD)
    page = seen.go("/rules")

    page.click("text=Change the rules")
    page.fill("#f-source", RULES)
    page.fill("#f-reason", "only from WH")
    page.click("main form.sheet button")
    page.wait_for_selector("text=What would come of it")
    difference = page.inner_text("main")
    before = api.rows("SELECT max(version) AS version FROM rule_set")
    page.click("main form.act button")
    page.wait_for_selector(".said.good")

    assert "numbers of 2 SKUs change" in difference
    assert "MUG-RED" in difference
    assert "is in force" in page.inner_text(".said")
    after = api.rows("SELECT max(version) AS version FROM rule_set")
    assert after[0]["version"] > before[0]["version"]
    assert seen.complaints == []


def test_a_recount_is_ordered_by_keyboard_and_without_scripts(seen_by: Look, api: Api) -> None:
    page = seen_by(Role.OPERATOR, scripts=False).go("/do/count.order?location=OSLO&back=/stores")

    page.focus("#f-sku")
    page.keyboard.press("Enter")
    page.wait_for_selector("#e-sku")
    wrong = page.inner_text("#e-sku")
    page.focus("#f-sku")
    page.keyboard.type("MUG-RED")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("a customer saw none")
    page.keyboard.press("Enter")
    page.wait_for_url("**/stores")

    assert wrong == "fill this in"
    assert "MUG-RED at OSLO: recount ordered" in page.inner_text(".said")
    assert api.rows("SELECT sku, location FROM count_order") == [
        {"sku": "MUG-RED", "location": "OSLO"}
    ]


def test_a_token_is_made_shown_once_and_revoked(seen_by: Look, api: Api) -> None:
    seen = seen_by(Role.ADMIN)
    page = seen.go("/settings")

    page.click("text=Make a token")
    page.fill("#f-name", "carl")
    page.select_option("#f-role", "viewer")
    page.click("main form.sheet button")
    page.wait_for_selector("#secret")
    secret = page.inner_text("#secret").strip()
    page.click("text=Done")
    page.click("tr:has-text('carl') >> a:text-is('Revoke')")
    page.click("main form.sheet button")
    page.wait_for_selector("text=What would come of it")
    page.click("main form.act button")
    page.wait_for_selector(".said.good")

    assert "carl (viewer) is no longer let in" in page.inner_text(".said")
    api.tokens[Role.VIEWER] = secret
    assert api.ask("GET", "/session", Role.VIEWER).status_code == 401
    assert seen.complaints == []
