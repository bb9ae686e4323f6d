"""Nobody does more by the API than their role may, and whatever is asked for is written down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.access.rights import VERBS
from console.access.types import Role
from console.verbs import tokens
from tests.console.api_door import Api, a_token, an_api
from tests.console.command import lockstep, surroundings
from tests.servers import Clock, Database

WHY = {"reason": "a test"}
#: A body that each changing route understands.
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/channels/{name}/pause": WHY,
    "/api/v1/channels/{name}/resume": {},
    "/api/v1/pushes/retry": {"channel": "shop"},
    "/api/v1/inbox/replay": {"deliveries": [1]},
    "/api/v1/halts": {"sku": "MUG-RED", "channel": "shop", **WHY},
    "/api/v1/halts/lift": {"sku": "MUG-RED", "channel": "shop", **WHY},
    "/api/v1/incidents/{incident}/ack": {},
    "/api/v1/silences": {"rule": "drift.open", "for_s": 7200, **WHY},
    "/api/v1/silences/end": {"rule": "drift.open", **WHY},
    "/api/v1/cases/{number}/choose": {"response": "refund", **WHY},
    "/api/v1/cases/{number}/run": {},
    "/api/v1/cases/{number}/close": WHY,
    "/api/v1/quarantine/release": {"sku": "MUG-RED", "channel": "shop", **WHY},
    "/api/v1/counts": {"sheet": "sku,location,counted\nMUG-RED,OSLO,0\n"},
    "/api/v1/rules": {"source": "[locations.WH]\n", **WHY},
    "/api/v1/rules/rollback": {"version": 1, **WHY},
    "/api/v1/hooks": {"name": "new", "url": "https://erp.example/hooks", "kinds": ["halt.set"]},
    "/api/v1/hooks/{name}/remove": {},
    "/api/v1/hooks/{name}/test": {},
    "/api/v1/tokens": {"name": "new", "role": "viewer"},
    "/api/v1/tokens/{name}/rotate": {},
    "/api/v1/tokens/{name}/revoke": {},
    "/api/v1/failures/retry": {"channel": "shop", **WHY},
    "/api/v1/failures/discard": {"ids": [1], **WHY},
    "/api/v1/failures/assign": {"channel": "shop", "assignee": "bob", **WHY},
    "/api/v1/operations/{number}/cancel": {},
    "/api/v1/queues/{name}/pause": WHY,
    "/api/v1/queues/{name}/resume": {},
    "/api/v1/alerts/test": {},
    "/api/v1/ledger/seal": {},
    "/api/v1/stock/adjust": {"id": "a-1", "sku": "MUG-RED", "location": "OSLO", "units": 3, **WHY},
    "/api/v1/stock/reverse": {"source": "operator", "event_id": "nothing", **WHY},
    "/api/v1/skus/resync": {"sku": "MUG-RED", **WHY},
    "/api/v1/catalogue/skus": {"skus": ["TEA"]},
    "/api/v1/catalogue/locations": {"locations": ["NORTH"], "kind": "store"},
    "/api/v1/supply": {
        "id": "s-1",
        "sku": "MUG-RED",
        "location": "OSLO",
        "units": 5,
        "due": "2030-01-01",
        "reference": "PO-1/1",
    },
    "/api/v1/pickup/failed": {"id": "p-1", "sku": "MUG-RED", "location": "OSLO"},
    "/api/v1/counts/orders": {"sku": "MUG-RED", "location": "OSLO", **WHY},
    "/api/v1/counts/worth": {"rows": [{"sku": "MUG-RED", "cost": "4.20"}]},
    "/api/v1/reorder/terms": {"rows": [{"sku": "MUG-RED", "pack": 6}]},
    "/api/v1/reorder/terms/set": {"supplier": "Acme", "service": 98},
    "/api/v1/suggestions/dismiss": {"kind": "reorder", "name": "MUG-RED@OSLO", **WHY},
    "/api/v1/debt/owner": {"owner": "the web team", "channel": "shop"},
    "/api/v1/edi/notices": {"partner": "grocer", "number": "PO-1"},
    "/api/v1/edi/documents/{document}/resend": {},
    "/api/v1/edi/documents/{document}/retry": {},
    "/api/v1/edi/documents/{document}/dismiss": WHY,
    "/api/v1/programs": {
        "partner": "shop",
        "skus": ["MUG-RED"],
        "location": "OSLO",
        "units": 2,
        "name": "SPRING",
        "since": "2026-03-02T12:00:00Z",
        "until": "2026-04-02T12:00:00Z",
        **WHY,
    },
    "/api/v1/programs/{program}/release": WHY,
    "/api/v1/amazon/ipi": {"score": 500},
    "/api/v1/amazon/sizes": {"rows": [{"sku": "MUG-RED", "cubic_feet": "0.25"}]},
    "/api/v1/amazon/capacity": {"storage_type": "standard", "units": 100},
}
NAMES = {
    "{name}": "shop", "{sku}": "MUG-RED", "{incident}": "1", "{number}": "1", "{version}": "1", "{delivery}": "1",
    "{document}": "1", "{program}": "SPRING",
}  # fmt: skip
QUERIES = {
    "/api/v1/skus/{sku}/explain": {"channel": "shop"},
    "/api/v1/failures/preview": {"verb": "retry", "channel": "shop"},
    "/api/v1/counts/shrinkage": {"quarter": "2026Q1"},
    "/api/v1/debt/report": {"quarter": "2026Q1"},
    "/api/v1/halts/preview": {"sku": "MUG-RED"},
    "/api/v1/amazon/standing": {"sku": "A-1"},
    "/api/v1/search": {"q": "MUG"},
    "/api/v1/order": {"order": "1001"},
    "/api/v1/skus/{sku}/moment": {"at": "2026-03-02T12:00:00Z"},
    "/api/v1/skus/{sku}/chart": {"channel": "shop", "location": "OSLO"},
}
#: What is sent to routes that only read.
TRIED = {
    "/api/v1/rules/check": {"source": "[locations.WH]\n"},
    "/api/v1/rules/plan": {"source": "[locations.WH]\n"},
}
#: Every row that an access writes, as text.
KEPT = """
    SELECT t::text FROM deed AS t UNION ALL SELECT t::text FROM deed_end AS t UNION ALL SELECT t::text FROM audit AS t
    UNION ALL SELECT t::text FROM login_failure AS t UNION ALL SELECT t::text FROM token AS t
"""
#: Where a name is of another kind.
ADDRESSES = {
    "/api/v1/operations/{number}": "/api/v1/operations/01890a5d-ac96-774b-bcce-b302099a8057",
    "/api/v1/operations/{number}/cancel": "/api/v1/operations/01890a5d-ac96-774b-bcce-b302099a8057/cancel",
    "/api/v1/events/{number}": "/api/v1/events/01890a5d-ac96-774b-bcce-b302099a8057",
}
FOR_SOME = {
    "/api/v1/hooks": Role.ADMIN,
    "/api/v1/tokens": Role.ADMIN,
    "/api/v1/inbox/{delivery}": Role.OPERATOR,
    "/api/v1/failures/{number}": Role.OPERATOR,
    "/api/v1/edi/documents/{document}": Role.OPERATOR,
}


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path) as api:
        yield api


def routes(api: Api, *, changing: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, address with names in it, what the schema says)"""
    for path, methods in api.schema["paths"].items():
        for method, said in methods.items():
            is_changing = method == "post" and "x-reads" not in said
            if path.startswith("/api/") and is_changing is changing and path not in TRIED:
                address = ADDRESSES.get(path, path)
                for name, value in NAMES.items():
                    address = address.replace(name, value)
                yield path, address, said


def test_nobody_and_a_stranger_get_nothing_from_any_route(api: Api) -> None:
    let_in = []
    stranger = {"Authorization": f"Bearer lockstep_{'A' * 43}"}
    for changing in (False, True):
        method = "POST" if changing else "GET"
        for path, address, _ in routes(api, changing=changing):
            answers = [
                api.ask(method, address, None, json=BODIES.get(path)),
                api.ask(method, address, None, json=BODIES.get(path), headers=stranger),
            ]
            let_in += [path for answer in answers if answer.status_code != 401]

    assert let_in == []
    assert api.deeds() == []


def test_everybody_reads_but_for_what_names_buyers_and_tokens(api: Api) -> None:
    wrong = {}
    for path, address, _ in routes(api, changing=False):
        for role in Role:
            answer = api.ask("GET", address, role, params=QUERIES.get(path))
            refused = answer.status_code == 403
            if refused is role.covers(FOR_SOME.get(path, Role.VIEWER)) or answer.status_code >= 500:
                wrong[path, role] = (answer.status_code, answer.text)

    assert wrong == {}


def test_what_is_sent_to_be_read_changes_nothing_and_is_for_the_right_roles(api: Api) -> None:
    wrong: dict[tuple[str, Role | None], object] = {}
    for path, body in TRIED.items():
        needed = Role(api.schema["paths"][path]["post"]["x-role"])
        for role in Role:
            answer = api.ask("POST", path, role, json=body)
            if (answer.status_code == 403) is role.covers(needed) or answer.status_code >= 500:
                wrong[path, role] = (answer.status_code, answer.text)
        if api.ask("POST", path, None, json=body).status_code != 401:
            wrong[path, None] = "a stranger"

    assert wrong == {}
    assert api.deeds() == []


def test_a_dry_run_answers_as_the_real_one_and_changes_nothing(api: Api) -> None:
    """Routes that hand out a secret or call a door cannot be tried, and do not offer it."""
    firm = {
        "/api/v1/tokens", "/api/v1/tokens/{name}/rotate", "/api/v1/alerts/test",
        "/api/v1/hooks", "/api/v1/hooks/{name}/test",
    }  # fmt: skip
    tables = [
        row["name"]
        for row in api.rows(
            "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND relname NOT IN ('token', 'deed', 'deed_end') ORDER BY relname"
        )
    ]
    whole = " UNION ALL ".join(
        f"SELECT '{name}' AS name, count(*) AS rows, coalesce(sum(hashtext(t::text)), 0)::text AS sum FROM {name} AS t"  # noqa: S608
        for name in tables
    )
    whole += " ORDER BY name"
    before = api.rows(whole)
    offered: set[str] = set()
    wrong: dict[str, tuple[int, str]] = {}
    for path, address, said in routes(api, changing=True):
        if not any(each["name"] == "dry_run" for each in said.get("parameters", ())):
            offered.add(path)
            continue
        answer = api.ask("POST", f"{address}?dry_run=true", json=BODIES[path])
        if answer.status_code >= 500:
            wrong[path] = (answer.status_code, answer.text)
        refused = api.ask("POST", f"{address}?dry_run=true", Role.VIEWER, json=BODIES[path])
        if refused.status_code != 403:
            wrong[path] = (refused.status_code, "a viewer tried")

    assert wrong == {}
    assert offered == firm
    assert api.rows(whole) == before
    assert {deed["outcome"] for deed in api.deeds()} == {"refused"}


def test_every_changing_route_is_done_by_the_right_roles_only_and_always_written_down(
    api: Api,
) -> None:
    wrong = {}
    for path, address, said in routes(api, changing=True):
        needed = Role(said["x-role"])
        assert needed is VERBS[said["x-verb"]].role
        for role in Role:
            before = len(api.deeds())
            answer = api.ask("POST", address, role, json=BODIES[path])
            new = api.deeds()[before:]
            written = [(deed["verb"], deed["role"], deed["door"]) for deed in new]
            is_right = (
                answer.status_code < 500
                and (answer.status_code == 403) is not role.covers(needed)
                and written == [(said["x-verb"], role, "api")]
                and new[0]["outcome"] == ("done" if answer.ok else "refused")
            )
            if not is_right:
                wrong[path, role] = (answer.status_code, answer.text, new)

    assert wrong == {}


def test_what_is_asked_for_in_the_wrong_way_is_a_problem_that_says_what_to_do(api: Api) -> None:
    asked = [
        api.ask("POST", "/api/v1/channels/shop/pause", json={"reason": "x", "colour": "red"}),
        api.ask("POST", "/api/v1/channels/shop/pause", json={"reason": "  "}),
        api.ask("POST", "/api/v1/channels/shop/pause", data=b"{", headers={"Content-Type": "application/json"}),
        api.ask("POST", "/api/v1/channels/nowhere/pause", json=WHY),
        api.ask("POST", "/api/v1/halts", json=WHY),
        api.ask("POST", "/api/v1/halts", json={"sku": "A\u0000B", **WHY}),
        api.ask("GET", "/api/v1/drift?colour=red"),
        api.ask("GET", "/api/v1/drift?limit=1001"),
        api.ask("GET", "/api/v1/drift?after=nonsense"),
        api.ask("GET", "/api/v1/nothing"),
        api.ask("DELETE", "/api/v1/drift"),
        api.ask("POST", "/api/v1/counts", json={"sheet": "x" * 1_100_000}),
        api.ask("POST", "/api/v1/counts", json={"sheet": "sku\n"}),
        api.ask("POST", "/api/v1/rules", json={"source": "[channels.x]\nkind = 1\n", **WHY}),
    ]  # fmt: skip

    assert [answer.status_code for answer in asked] == [
        422, 422, 422, 404, 422, 422, 422, 422, 422, 404, 405, 413, 422, 422
    ]  # fmt: skip
    for answer in asked:
        assert answer.headers["content-type"] == "application/problem+json"
        said = answer.json()
        assert said["detail"]
        assert said["status"] == answer.status_code
    assert [len(answer.json()["faults"]) > 0 for answer in asked[-2:]] == [True, True]


def test_a_list_of_faults_or_a_broken_file_is_refused_and_never_a_mistake_of_ours(api: Api) -> None:
    twice = {"rows": [{"sku": "MUG-RED", "cost": "1"}, {"sku": "MUG-RED", "cost": "2"}]}
    broken = "carton,line,quantity\r1,2,3\rx"

    asked = [
        api.ask("POST", "/api/v1/counts/worth", json=twice),
        api.ask("POST", "/api/v1/edi/notices", json={"partner": "shop", "number": "1", "cartons": broken}),
    ]  # fmt: skip

    assert [answer.status_code for answer in asked] == [422, 409]
    assert asked[0].json()["faults"] == ["MUG-RED stands twice: keep one"]
    assert "packing list" in asked[1].json()["detail"]


def test_a_list_is_read_page_by_page_whatever_comes_between(api: Api) -> None:
    api.run(
        "INSERT INTO sku (sku) SELECT 'S-' || lpad(n::text, 3, '0') FROM generate_series(1, 25) AS n"
    )

    first = api.get("/skus", params={"q": "s-0", "limit": 10})
    api.run("INSERT INTO sku (sku) VALUES ('S-000'), ('S-0005')")
    second = api.get("/skus", params={"q": "s-0", "limit": 10, "after": first["after"]})
    third = api.get("/skus", params={"q": "s-0", "limit": 10, "after": second["after"]})

    read = [row["sku"] for page in (first, second, third) for row in page["items"]]
    assert read == [f"S-{number:03}" for number in range(1, 26)]
    assert third["after"] is None


def test_a_search_takes_its_words_as_they_are(api: Api) -> None:
    api.run("INSERT INTO sku (sku) VALUES ('10%-OFF'), ('A_B'), ('AXB')")

    found = [api.get("/skus", params={"q": q})["items"] for q in ("%", "_", "a_b")]

    assert [[row["sku"] for row in rows] for rows in found] == [["10%-OFF"], ["A_B"], ["A_B"]]


def test_a_token_opens_doors_until_it_is_over_revoked_or_made_anew(api: Api, clock: Clock) -> None:
    api.tokens[Role.LEAD] = a_token(api, "short", Role.LEAD, timedelta(hours=1))
    good = api.ask("GET", "/session", Role.LEAD).json()
    clock.advance(3600)
    over = api.ask("GET", "/session", Role.LEAD)
    anew = api.ask("POST", "/api/v1/tokens/operator-1/rotate").json()["token"]
    old = api.ask("GET", "/session", Role.OPERATOR)
    api.tokens[Role.OPERATOR] = anew
    new = api.ask("GET", "/session", Role.OPERATOR).json()
    api.ask("POST", "/api/v1/tokens/operator-1/revoke")
    ended = api.ask("GET", "/session", Role.OPERATOR)

    assert (good, new) == (
        {"name": "short", "role": "lead"},
        {"name": "operator-1", "role": "operator"},
    )
    assert [answer.status_code for answer in (over, old, ended)] == [401, 401, 401]


def test_a_token_made_in_the_place_of_another_ends_that(api: Api, clock: Clock) -> None:
    """As each start of a local stack does: one token of its name, however often it was started."""
    found = []
    for n in range(3):
        made = tokens.renew(
            api.database.engine, "local", Role.ADMIN, by="ann", now=clock.now, random=bytes([n]) * 32,
            lasts=timedelta(days=1),
        )  # fmt: skip
        api.tokens[list(Role)[n]] = made.secret
    for role in list(Role)[:3]:
        found.append(api.ask("GET", "/session", role).status_code)

    assert found == [401, 401, 200]


def test_no_token_is_kept_or_logged(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    made = api.ask("POST", "/api/v1/tokens", json={"name": "carl", "role": "lead"}).json()["token"]
    api.ask("POST", "/login", None, json={"token": made})
    api.ask("POST", "/login", None, json={"token": made[:-1]})
    api.ask("GET", f"/api/v1/skus/{made}")

    everything = str(api.rows(KEPT))
    written = capfd.readouterr()
    secrets = [made, *api.tokens.values()]
    assert not [each for each in secrets if each[9:30] in everything + written.out + written.err]


def test_the_api_says_what_the_command_line_says(api: Api) -> None:
    here = surroundings(api.database)
    api.run(
        "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at)"
        " VALUES ('shop', 'MUG-RED', 'WH', 30, 50, 'unknown', 'repush', now(), now())"
    )

    for command, path in (
        ("recon drift", "/drift"),
        ("channel list", "/channels"),
        ("alloc history", "/rules"),
        ("recon status", "/runs"),
        ("inbox list", "/inbox"),
        ("alarm list", "/alarms"),
    ):
        said = lockstep(*command.split(), "--json", environment=here).read

        assert api.get(path)["items"] == said, command
    assert api.get("/drift")["items"][0]["delta"] == 20
