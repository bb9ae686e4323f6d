"""Words of strangers in every place where they are shown, written or made part of something: they stay words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from channels.base import Refused
from channels.edi.mailbox import _checked
from console.access.types import Role
from console.pages.links import again, is_ours
from console.pages.rendering import MENU
from tests.builders import a_fact, book
from tests.console.api_door import Api, an_api
from tests.servers import Clock, Database
from workers.alerts import slack_message

ROOT = Path(__file__).resolve().parents[2]
HTML = {"Accept": "text/html"}
#: Each would do something in a page, a statement, a template, a path, a shell, a header or a chat.
SKUS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "javascript:alert(1)//",
    "' OR '1'='1",
    "'; DROP TABLE event; --",
    "%' AND pg_sleep(9) IS NULL --",
    "$.** ? (@ like_regex \".*\")",
    "{{7919*7919}}${7919*7919}#{7919*7919}",
    "../../../../etc/passwd",
    "%2e%2e%2f%0d%0aSet-Cookie: a=b",
    "<!channel> <http://evil.example|here>",
    "`rm -rf /`; $(id)",
    "-- --reason",
]  # fmt: skip
#: What none of them may become: a tag or an attribute of a page of ours.
LIVE = re.compile(
    r"<script>alert|<img src=x|<svg/onload|href=\"javascript:|62710561", re.IGNORECASE
)


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path) as api:
        yield api


def test_no_page_and_no_route_makes_anything_of_a_name(api: Api) -> None:
    """Every page of the menu, the pages and routes about one SKU, and the searches, with a house of such names."""
    known = api.ask("POST", "/api/v1/catalogue/skus", json={"skus": SKUS, "title": SKUS[0]})
    assert known.status_code == 200, known.text
    facts = [a_fact("receipt", id=f"r{n}", sku=sku, units=5, reason=SKUS[1], actor=SKUS[2], reference=SKUS[4])
             for n, sku in enumerate(SKUS)]  # fmt: skip
    assert book(api.database.engine, *facts).applied == len(SKUS)
    for sku in SKUS:
        why = {"sku": sku, "channel": "shop", "reason": SKUS[0] + sku}
        assert api.ask("POST", "/api/v1/halts", json=why).status_code < 500
    addresses = [address for _, address in MENU]
    for sku in SKUS:
        name = quote(sku, safe="")
        addresses += [
            f"/sku/{name}", f"/explain?sku={name}&channel=shop", f"/search?q={name}", f"/order?order={name}",
            f"/drift?sku={name}", f"/audit?object={name}", f"/inbox?source={name}", f"/failed?channel={name}",
        ]  # fmt: skip

    wrong = {}
    for address in addresses:
        answer = api.ask("GET", address, Role.ADMIN, headers=HTML)
        if answer.status_code >= 500 or LIVE.search(answer.text) or "set-cookie" in answer.headers:
            wrong[address] = (answer.status_code, LIVE.findall(answer.text))
    for sku in SKUS:
        for path in (
            f"/api/v1/skus/{quote(sku, safe='')}",
            f"/api/v1/search?q={quote(sku, safe='')}",
        ):
            answer = api.ask("GET", path, Role.ADMIN, headers=HTML)
            if answer.status_code >= 500 or not answer.headers["content-type"].startswith(
                "application/"
            ):
                wrong[path] = (answer.status_code, [answer.headers["content-type"]])

    assert wrong == {}
    assert api.rows("SELECT count(*) AS n FROM sku")[0]["n"] == len(SKUS) + 2


@pytest.mark.parametrize("path", [
    "/static/../../../workers/settings.py",
    "/static/..%2f..%2f..%2fworkers/settings.py", "/static/%2e%2e/%2e%2e/app.py",
    "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/..\\..\\pages.py", "/static/%00", "/static/.",
    "/static/",
    "/static/app.css%00.py", "/static/" + "../" * 40 + "etc/passwd",
])  # fmt: skip
def test_no_path_leads_out_of_the_static_files(api: Api, path: str) -> None:
    session = requests.Session()
    asked = requests.Request("GET", api.url).prepare()
    # As it is: requests would take the dots out.
    asked.url = f"{api.url}{path}"

    answer = session.send(asked, timeout=10, allow_redirects=False)

    assert answer.status_code in (401, 404, 400, 405)
    assert "root:" not in answer.text
    assert "import" not in answer.text


#: What a browser reads as another host: it takes a backslash for a slash, and leaves tabs and line ends out.
ELSEWHERE = [
    "//evil.example", "/\\evil.example", "/\t/evil.example", "/\n/evil.example", "/\r\n/evil.example",
    "\t//evil.example", "https://evil.example", "javascript:alert(1)", "evil.example", "", "/x\x00", "/x\ty",
]  # fmt: skip


@pytest.mark.parametrize("page", ELSEWHERE)
def test_no_address_that_comes_with_a_form_leads_to_another_site(api: Api, page: str) -> None:
    answer = api.ask("GET", f"/do/halt.set?back={quote(page)}", Role.ADMIN, headers=HTML)

    assert answer.status_code == 200
    links = re.findall(r'(?:href|action|name="back" value)="([^"]*)"', answer.text)
    assert page not in links
    assert not [link for link in links if "evil" in link or not link.startswith(("/", "#"))]


@pytest.mark.parametrize(
    "page", ["/", "/halts?channel=a%20b", "/sku/MUG RED", "/sku/\u00e4", "/sku/a\\b#x"]
)
def test_a_page_of_this_house_is_gone_back_to(page: str) -> None:
    assert is_ours(page)


def test_a_page_that_failed_is_asked_for_again_in_this_house() -> None:
    assert again("//evil.example/x", "a=b") == "/evil.example/x?a=b"


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "..", ".", "/etc/passwd", "a\\b", "a\x00b", "a\nb", "", "\x1b[2J", "..\\x"],
)
def test_no_file_name_of_a_partner_leads_out_of_its_folder(name: str) -> None:
    with pytest.raises(Refused, match="no bare file name"):
        _checked(name)


def test_another_site_gets_no_leave_to_read_or_send(api: Api) -> None:
    """No answer carries a header of CORS, and a preflight is answered like any stranger."""
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answers = [
        api.ask("GET", "/api/v1/channels", Role.ADMIN, headers=origin),
        api.ask("OPTIONS", "/api/v1/channels/shop/pause", None, headers=origin),
        api.ask("OPTIONS", "/login", None, headers=origin),
        api.ask("GET", "/healthz", None, headers=origin),
        api.ask(
            "POST", "/login", None, json={"token": "x"}, headers={"Sec-Fetch-Site": "cross-site"}
        ),
    ]

    assert not [
        name
        for answer in answers
        for name in answer.headers
        if name.lower().startswith("access-control-")
    ]
    assert [answer.status_code for answer in answers][1:3] == [401, 405]
    assert answers[4].status_code == 403


def test_a_line_of_a_log_stays_one_line_without_a_terminal_s_commands() -> None:
    said = "a\r\nb\x1b[2J\u2028c\u0085d\x00"
    program = (
        "import structlog\nfrom console import logs\nlogs.configure('INFO')\n"
        f"structlog.get_logger().info('x', sku={said!r})\n"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert len(answer.stderr.splitlines()) == 1
    assert "\x1b" not in answer.stderr
    assert json.loads(answer.stderr)["sku"] == said


def test_a_name_calls_nobody_in_slack_and_makes_no_link() -> None:
    alert = {
        "id": "inc-1", "rule": "drift.open", "title": "Drift", "kind": "page", "severity": "critical",
        "status": "firing",
        "env": "x", "channel": "<!here>", "location": "", "skus": SKUS, "more": 0, "count": 1, "impact": SKUS[11],
        "lines": [f"{sku} ``` {SKUS[11]}" for sku in SKUS], "cause": None, "actions_taken": [SKUS[11]],
        "next_commands": ["a ``` b"], "runbook": "docs/runbooks/x.md", "links": {"sku": None, "dashboard": None},
        "first_seen": "2026-03-02T12:00:00+00:00", "acknowledged_by": "<@U1>", "expected": 1, "actual": 2, "delta": 1,
    }  # fmt: skip

    said = json.dumps(slack_message.root(alert, datetime(2026, 3, 2, 13, tzinfo=UTC)))

    assert "<!" not in said
    assert "<http" not in said
    assert "<@" not in said
    assert said.count("```") == 2
