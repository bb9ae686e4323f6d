"""Forms do what the API does, by the same roles and trail; faults stand beside their fields, danger is asked twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from console.access.rights import VERBS, may
from console.access.secrets import is_token
from console.access.types import Role
from console.pages.acts import DOINGS
from reconcile.counting.file import REASONS
from tests.console.api_door import Api, an_api
from tests.console.pages.busy import a_busy_house
from tests.console.pages.test_pages import browser, word
from tests.servers import Clock, Database

WHY = {"reason": "a test"}
PLACE = {"sku": "MUG-RED", "location": "OSLO"}
RULES = (
    '[locations.WH]\n[channels.shop]\nkind = "shopify"\nbase_url = "https://shop.example"\n'
    'account = "one.example"\nlocations = ["WH"]\nvendor_locations = { "gid://1" = "WH" }\n'
)
#: What each form can be sent.
FORMS: dict[str, dict[str, str]] = {
    "channel.pause": {"name": "shop", **WHY},
    "channel.resume": {"name": "shop"},
    "queue.pause": {"name": "ingest", **WHY},
    "queue.resume": {"name": "ingest"},
    "halt.set": {"sku": "MUG-RED", "channel": "shop", **WHY},
    "halt.lift": {"sku": "MUG-RED", "channel": "shop", **WHY},
    "sku.resync": {"sku": "MUG-RED", **WHY},
    "push.retry": {"channel": "shop"},
    "alert.ack": {"incident": "1"},
    "alert.silence": {"rule": "drift.open", "for_s": "3600", **WHY},
    "alert.test": {},
    "inbox.replay": {"deliveries": "1"},
    "recon.release": {"sku": "MUG-RED", "channel": "shop", **WHY},
    "recon.owner": {"owner": "the web team"},
    "failed.retry": {"ids": "1", **WHY},
    "failed.discard": {"ids": "2", **WHY},
    "failed.assign": {"ids": "3", "assignee": "bob", **WHY},
    "op.cancel": {"number": "00000000-0000-0000-0000-000000000000"},
    "alloc.apply": {"source": RULES, **WHY},
    "alloc.rollback": {"version": "1", **WHY},
    "case.choose": {"number": "1", "response": "refund", **WHY},
    "case.run": {"number": "1"},
    "case.close": {"number": "1", **WHY},
    "count.submit": {"sheet": "sku,location,counted\nMUG-RED,OSLO,0\n"},
    "count.order": {**PLACE, **WHY},
    "count.worth": {"rows": "sku,cost,price\nMUG-RED,4.20,9\n"},
    "reorder.set": {"sku": "MUG-RED", "supplier": "Acme", "pack": "6"},
    "reorder.import": {"rows": "sku,pack\nMUG-RED,6\n"},
    "pickup.failed": PLACE,
    "stock.adjust": {**PLACE, "units": "3", **WHY},
    "stock.reverse": {"source": "operator", "event_id": "nothing", **WHY},
    "supply.expect": {**PLACE, "units": "5", "due": "2030-01-01", "reference": "PO-1/1"},
    "catalogue.add-sku": {"skus": "TEA, COFFEE"},
    "catalogue.add-location": {"locations": "NORTH", "kind": "store"},
    "ledger.seal": {},
    "hook.add": {"name": "erp", "url": "https://erp.example/hooks", "kinds": "halt.set"},
    "hook.test": {"name": "nobody"},
    "hook.remove": {"name": "nobody"},
    "review.dismiss": {"kind": "reorder", "name": "MUG-RED@WH", **WHY},
    "token.create": {"name": "carl", "role": "viewer"},
    "token.rotate": {"name": "nobody"},
    "token.revoke": {"name": "nobody"},
    "edi.ship": {"partner": "grocer", "number": "PO-1"},
    "edi.resend": {"document": "1"},
    "edi.retry": {"document": "1"},
    "edi.dismiss": {"document": "1", **WHY},
    "partner.reserve": {
        "name": "SPRING", "partner": "shop", "skus": "MUG-RED", "location": "WH", "units": "2",
        "until": "2026-06-01T00:00Z", **WHY,
    },
    "partner.release": {"program": "SPRING", **WHY},
    "amazon.ipi.set": {"score": "500"},
    "amazon.size.set": {"text": "sku,cubic_feet\nMUG-RED,0.25\n"},
    "amazon.capacity.set": {"storage_type": "standard", "cubic_feet": "100"},
}  # fmt: skip


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path) as api:
        a_busy_house(api.database, clock)
        yield api


class Writer:
    """Somebody at a form."""

    def __init__(self, api: Api, role: Role) -> None:
        self.api, self.wire = api, browser(api, role)
        self.csrf = word(self.wire.get(f"{api.url}/halts", timeout=10).text)

    def send(self, verb: str, **form: str) -> requests.Response:
        """Send a form; where it leads to is not gone to."""
        return self.wire.post(
            f"{self.api.url}/do/{verb}", data={"csrf": self.csrf, **form}, timeout=20, allow_redirects=False
        )  # fmt: skip

    def on(self, answer: requests.Response) -> str:
        """The page that a form leads to."""
        assert answer.status_code == 303, re.findall(r'role="alert".*', answer.text, re.DOTALL)
        page = self.wire.get(f"{self.api.url}{answer.headers['location']}", timeout=10)
        return page.text


def test_every_form_asks_as_the_api_does_for_role_word_and_trail(api: Api) -> None:
    assert FORMS.keys() == DOINGS.keys() <= VERBS.keys()
    wrong = {}
    for role in Role:
        writer = Writer(api, role)
        for verb, form in FORMS.items():
            before = len(api.deeds())
            forged = requests.post(
                f"{api.url}/do/{verb}", data=form, cookies=writer.wire.cookies.get_dict(), timeout=10
            )  # fmt: skip
            answer = writer.send(verb, **form, confirm="1")
            written = [(deed["verb"], deed["role"], deed["door"]) for deed in api.deeds()[before:]]
            is_right = (
                forged.status_code == 403
                and (answer.status_code == 403) is not may(role, verb)
                and answer.status_code in (200, 303, 403, 409)
                and written == [(verb, role, "web")]
            )
            if not is_right:
                wrong[verb, role] = (
                    forged.status_code,
                    answer.status_code,
                    written,
                    answer.text[-300:],
                )

    assert wrong == {}


def test_every_form_can_be_seen_by_everybody_and_says_who_may_send_it(api: Api) -> None:
    wrong = {}
    for role in (Role.VIEWER, Role.ADMIN):
        someone = browser(api, role)
        for verb, sheet in DOINGS.items():
            page = someone.get(f"{api.url}/do/{verb}", timeout=10)
            labels = re.findall(r'<label for="f-([^"]+)"', page.text)
            shown = [field.name for field in sheet.fields if field.kind != "hidden"]
            said = "disabled" in page.text and f"you are {role}" in page.text
            if page.status_code != 200 or labels != shown or said is may(role, verb):
                wrong[verb, role] = (page.status_code, labels, shown)

    assert wrong == {}


def test_what_is_wrong_stands_beside_its_field_with_what_to_do(api: Api) -> None:
    lead = Writer(api, Role.LEAD)
    before = len(api.deeds())

    answer = lead.send("stock.adjust", sku="MUG-RED", units="many", reason="", own="1")

    assert answer.status_code == 422
    for name, words in (
        ("units", "write a whole number: found, or -3 where they are gone"),
        ("location", "fill this in"),
        ("reason", "fill this in: it is kept with what is done"),
    ):
        assert f'<small class="bad" id="e-{name}">{words}</small>' in answer.text
        assert re.search(rf'id="f-{name}"[^>]*aria-describedby="[^"]*e-{name}"', answer.text)
    assert 'value="MUG-RED"' in answer.text
    assert len(api.deeds()) == before


def test_what_is_dangerous_is_shown_first_and_done_when_it_is_asked_again(api: Api) -> None:
    lead = Writer(api, Role.LEAD)
    form = {**PLACE, "units": "3", "reason": "found <behind> the shelf"}

    asked = lead.send("stock.adjust", **form)
    before = api.rows(
        "SELECT coalesce(sum(units), 0)::int AS units FROM balance WHERE location = 'OSLO'"
    )
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked.text))
    done = lead.on(lead.send("stock.adjust", **form, confirm="1", id=hidden["id"]))
    lead.send("stock.adjust", **form, confirm="1", id=hidden["id"])

    assert asked.status_code == 200
    assert "MUG-RED at OSLO: +3. Nothing was changed yet." in asked.text
    assert "found &lt;behind&gt; the shelf" in asked.text
    assert before == [{"units": 0}]
    # A form that is sent twice is one correction.
    assert api.rows(
        "SELECT units FROM balance WHERE location = 'OSLO' AND state = 'available'"
    ) == [{"units": 3}]
    assert [deed["outcome"] for deed in api.deeds()[-2:]] == ["done", "refused"]
    assert "MUG-RED at OSLO: +3" in done


def test_rules_are_changed_after_their_difference_was_seen_and_rolled_back(api: Api) -> None:
    lead = Writer(api, Role.LEAD)
    page = lead.wire.get(f"{api.url}/do/alloc.apply?from=1", timeout=10).text
    version = re.search(r'name="expect_version"[^>]*value="(\d+)"', page)
    assert version is not None
    form = {"source": RULES, "expect_version": version[1], "reason": "only from WH"}

    faulty = lead.send("alloc.apply", source="[channels.x]\nkind = 1\n", reason="x", own="1")
    asked = lead.send("alloc.apply", **form)
    applied = lead.on(lead.send("alloc.apply", **form, confirm="1"))
    again = lead.on(lead.send("alloc.apply", **form, confirm="1"))
    back = lead.on(lead.send("alloc.rollback", version="1", reason="that was wrong", confirm="1"))

    assert faulty.status_code == 409
    assert "channels.x" in faulty.text
    assert "numbers of 2 SKUs change" in asked.text
    assert "MUG-RED" in asked.text
    assert "is in force; every SKU is being computed again" in applied
    assert 'class="said bad"' in again, "another version was in force by then"
    assert "equal to version 1" in back


def test_a_sheet_is_booked_whole_or_its_faults_are_told_line_by_line(api: Api) -> None:
    operator = Writer(api, Role.OPERATOR)
    sheet = "sku,location,counted\r\nMUG-RED,OSLO,7\r\n"
    good = {"sheet": sheet, "reason_code": REASONS[0], "back": "/stores"}

    faulty = operator.send(
        "count.submit",
        sheet="sku,location,counted\nMUG-RED,OSLO,-1\nMUG-BLUE,OSLO,x\n",
        confirm="1",
    )
    asked = operator.send("count.submit", **good)
    booked = operator.on(operator.send("count.submit", **good, confirm="1"))
    twice = operator.on(operator.send("count.submit", **good, confirm="1"))

    assert faulty.status_code == 409
    assert "2: counted -1 is below zero" in faulty.text
    assert "<li>3: " in faulty.text
    assert "1 lines, 1 out of tolerance, +7 units. Nothing was changed yet." in asked.text
    assert "1 lines, 1 out of tolerance, +7 units" in booked
    assert "it was booked before" in twice


def test_a_token_is_shown_once_used_and_revoked_by_forms(api: Api) -> None:
    admin = Writer(api, Role.ADMIN)

    made = admin.send("token.create", name="carl", role="operator", days="7")
    shown = re.search(r'id="secret">([^<]+)<', made.text)
    assert shown is not None
    api.tokens[Role.OPERATOR] = shown[1]
    used = api.ask("GET", "/session", Role.OPERATOR).json()
    listed = admin.wire.get(f"{api.url}/settings", timeout=10).text
    asked = admin.send("token.revoke", name="carl")
    revoked = admin.on(admin.send("token.revoke", name="carl", confirm="1"))
    after = api.ask("GET", "/session", Role.OPERATOR)

    assert is_token(shown[1])
    assert used == {"name": "carl", "role": "operator"}
    assert "carl" in listed
    assert shown[1] not in listed
    assert "Nothing was changed yet" in asked.text
    assert "is no longer let in" in revoked
    assert after.status_code == 401


def test_a_whole_channel_is_halted_only_when_it_is_asked_again(api: Api) -> None:
    operator = Writer(api, Role.OPERATOR)
    form = {"channel": "shop", "all": "1", "reason": "the feed is wrong"}
    standing = "SELECT count(*) AS n FROM halt_scope WHERE lifted_at IS NULL"

    asked = operator.send("halt.set", **form)
    before = api.rows(standing)
    halted = operator.on(operator.send("halt.set", **form, confirm="1"))

    assert "halted already" in asked.text
    assert before == [{"n": 0}]
    assert api.rows(standing) == [{"n": 1}]
    assert "goes off sale within seconds" in halted
