"""Every page answers, for every role, with a house that has much to show and one that has nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from console.access.types import Role
from console.pages.rendering import MENU
from tests.console.api_door import Api, an_api
from tests.console.pages.busy import a_busy_house
from tests.servers import Clock, Database

HTML = {"Accept": "text/html"}
DEEPER = [
    "/now/live", "/sku/MUG-RED", "/sku/MUG-RED?at=2026-03-02+12:30&hours=168", "/explain?sku=MUG-RED&channel=shop",
    "/pushes/sent", "/pushes/1", "/drift?all=1", "/drift/1", "/incidents/1", "/inbox", "/search?q=MUG", "/search?q=1",
    "/order?order=1001", "/rules/1", "/failed?channel=second",
    "/edi?all=1", "/amazon?all=1", "/amazon/aged?all=1", "/amazon/send-in", "/audit?trail=1", "/inbox?state=applied",
]  # fmt: skip
#: Addresses that one role may not see.
FOR_SOME = {"/inbox/1": Role.OPERATOR, "/failed/1": Role.OPERATOR}


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path) as api:
        yield api


def browser(api: Api, role: Role) -> requests.Session:
    """Somebody who logged in."""
    browser = requests.Session()
    browser.headers.update(HTML)
    browser.post(f"{api.url}/login", data={"token": api.tokens[role]}, timeout=10)
    return browser


def word(page: str) -> str:
    """What the forms of a page must send."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_every_page_answers_a_house_with_nothing_in_it_and_says_why(api: Api) -> None:
    wrong = {}
    for _, address in MENU:
        answer = api.ask("GET", address, Role.VIEWER, headers=HTML)
        if answer.status_code != 200 or "text/html" not in answer.headers["content-type"]:
            wrong[address] = (answer.status_code, answer.text[-300:])

    assert wrong == {}
    assert "No worker was ever seen." in api.ask("GET", "/", headers=HTML).text
    assert "No drift is open" in api.ask("GET", "/drift", headers=HTML).text


def test_every_page_answers_a_busy_house_whoever_asks(api: Api, clock: Clock) -> None:
    a_busy_house(api.database, clock)
    wrong = {}
    for address in [address for _, address in MENU] + DEEPER + list(FOR_SOME):
        for role in (Role.VIEWER, Role.ADMIN):
            answer = api.ask("GET", address, role, headers=HTML)
            wanted = 200 if role.covers(FOR_SOME.get(address, Role.VIEWER)) else 403
            if answer.status_code != wanted:
                wrong[address, role] = (answer.status_code, answer.text[-300:])

    assert wrong == {}


def test_now_says_what_customers_see_before_what_our_machine_does(api: Api, clock: Clock) -> None:
    a_busy_house(api.database, clock)

    page = api.ask("GET", "/", Role.VIEWER, headers=HTML).text

    said = [page.index(words) for words in ("in sync", "Incidents", "Channels", "Workers")]
    assert said == sorted(said)
    assert "1 SKU halted" in page
    assert "paused by ann: the vendor moves" in page


def test_a_page_on_a_sku_tells_what_was_shown_should_be_and_was_known(
    api: Api, clock: Clock
) -> None:
    a_busy_house(api.database, clock)

    page = api.ask(
        "GET", "/sku/MUG-RED?at=2026-03-02+12:30&hours=168", Role.VIEWER, headers=HTML
    ).text

    for words in (
        "What channels show",
        "On hand",
        "knew then",
        "knows now of then",
        "Timeline",
        "halted by",
    ):
        assert words in page
    assert "order 1001" in page


def test_who_is_not_known_logs_in_first_and_goes_on_to_where_they_wanted(api: Api) -> None:
    stranger = requests.Session()
    stranger.headers.update(HTML)

    asked = stranger.get(f"{api.url}/drift?all=1", timeout=10)
    wrong = stranger.post(f"{api.url}/login", data={"token": "nonsense"}, timeout=10)
    gone_on = stranger.post(f"{api.url}/login", data={"token": api.tokens[Role.VIEWER]}, timeout=10)

    assert asked.url.endswith("/login")
    assert wrong.status_code == 401
    assert "this token is not known" in wrong.text
    assert gone_on.url == f"{api.url}/drift?all=1"


def test_where_somebody_wanted_to_go_is_never_another_house(api: Api) -> None:
    someone = browser(api, Role.VIEWER)
    for place in ("https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example"):
        someone.cookies.set("lockstep_wanted", place)
        answer = someone.get(f"{api.url}/", timeout=10, allow_redirects=False)
        assert answer.status_code == 200


def test_pages_obey_the_policy_and_hold_no_inline_script_or_style(api: Api, clock: Clock) -> None:
    a_busy_house(api.database, clock)
    loose = {}
    for address in [address for _, address in MENU] + DEEPER:
        answer = api.ask("GET", address, Role.ADMIN, headers=HTML)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        if re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text):
            loose[address] = answer.text

    assert not loose


def test_static_files_are_for_anybody_and_for_long(api: Api) -> None:
    page = api.ask("GET", "/login", None, headers=HTML).text
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)

    answers = [api.ask("GET", file, None) for file in files]

    assert len(files) >= 4
    assert {answer.status_code for answer in answers} == {200}
    assert all("immutable" in answer.headers["cache-control"] for answer in answers)
    assert all(answer.headers["x-content-type-options"] == "nosniff" for answer in answers)
    assert api.ask("GET", "/static/../routes.py", None).status_code in (401, 404)


def test_a_control_out_of_reach_stays_visible_with_its_reason(api: Api, clock: Clock) -> None:
    a_busy_house(api.database, clock)

    seen = browser(api, Role.OPERATOR).get(f"{api.url}/halts", timeout=10).text

    assert re.search(r'disabled title="for lead and above; you are operator">Lift<', seen)
    assert "disabled" not in re.findall(r"<button[^>]*>Halt<", seen)[0]


def test_a_halt_is_set_and_lifted_by_forms_which_say_what_they_did(api: Api, clock: Clock) -> None:
    a_busy_house(api.database, clock)
    lead = browser(api, Role.LEAD)
    csrf = word(lead.get(f"{api.url}/halts", timeout=10).text)
    form = {
        "csrf": csrf,
        "sku": "MUG-BLUE",
        "channel": "shop",
        "reason": "broken <box>",
        "back": "/halts",
    }

    halted = lead.post(f"{api.url}/do/halt.set", data=form, timeout=10)
    lifted = lead.post(f"{api.url}/do/halt.lift", data=form, timeout=10)
    quiet = lead.get(f"{api.url}/halts", timeout=10)

    assert "SKU MUG-BLUE, channel shop goes off sale within seconds" in halted.text
    assert "broken &lt;box&gt;" in halted.text
    assert "goes back on sale within seconds" in lifted.text
    assert "goes back on sale" not in quiet.text


def test_a_refusal_is_told_on_the_page_it_came_from(api: Api, clock: Clock) -> None:
    a_busy_house(api.database, clock)
    operator = browser(api, Role.OPERATOR)
    csrf = word(operator.get(f"{api.url}/halts", timeout=10).text)
    form = {"csrf": csrf, "sku": "NOTHING", "channel": "shop", "reason": "x", "back": "/halts"}

    answer = operator.post(f"{api.url}/do/halt.set", data=form, timeout=10)

    assert answer.url == f"{api.url}/halts"
    assert 'class="said bad"' in answer.text


def test_a_sku_is_sent_again_when_somebody_asks(api: Api, clock: Clock) -> None:
    a_busy_house(api.database, clock)
    api.run("DELETE FROM push_due")
    operator = browser(api, Role.OPERATOR)
    csrf = word(operator.get(f"{api.url}/halts", timeout=10).text)

    operator.post(
        f"{api.url}/do/sku.resync",
        data={"csrf": csrf, "sku": "MUG-RED", "reason": "looks wrong"},
        timeout=10,
    )

    assert api.rows("SELECT DISTINCT sku FROM push_due") == [{"sku": "MUG-RED"}]
    assert api.rows("SELECT sku FROM due") == [{"sku": "MUG-RED"}]
    assert api.rows("SELECT actor, action FROM audit ORDER BY id DESC LIMIT 1") == [
        {"actor": "operator-1", "action": "sku.resync"}
    ]


def test_settings_show_no_secret(api: Api) -> None:
    page = api.ask("GET", "/settings", Role.ADMIN, headers=HTML).text

    assert api.database.app_url not in page
    assert ":•••@" in page
