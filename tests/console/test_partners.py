"""GET /partners/{id}/availability: a partner's portal sees its own numbers, all of them, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from sqlalchemy import text

from allocation import document, store
from tests.console.door import Door, a_door, the_settings
from tests.servers import FIRST_NOW, Database

RULES = """\
[locations.WH]
[locations.SHOP]
[channels.grocer]
kind = "edi"
base_url = "file:///srv/edi/grocer"
locations = ["WH", "SHOP"]
show = "per_location"
vendor_locations = { "DC1" = "WH", "DC2" = "SHOP" }
options = { our_id = "ZZ:US", partner_id = "12:GROCER" }
[channels.rival]
kind = "edi"
base_url = "file:///srv/edi/rival"
locations = ["WH"]
vendor_locations = { "9" = "WH" }
options = { our_id = "ZZ:US", partner_id = "12:RIVAL" }
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
locations = ["WH"]
vendor_locations = { "gid://1" = "WH" }
"""
SECRETS = json.dumps(
    {
        "grocer": {"portal_token": "of-the-grocer"},
        "rival": {"portal_token": "of-the-rival"},
        "shop": {"portal_token": "of-the-shop", "token": "t"},
        "silent": {"token": "t"},
    }
)


@pytest.fixture
def door(database: Database) -> Iterator[Door]:
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO sku (sku) VALUES ('MUG'), ('TEE')"))
        store.apply_rules(connection, RULES, document.read(RULES), "ann", "test", FIRST_NOW)
        connection.execute(
            text("""
                INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id, pack) VALUES
                    ('grocer', 'MUG', 'SHOP', '11', 'DC2', '11', 1), ('grocer', 'MUG', 'WH', '11', 'DC1', '11', 1),
                    ('grocer', 'TEE', 'WH', '22', 'DC1', '22', 6), ('rival', 'MUG', 'WH', '77', '9', '77', 1)
            """)
        )
        connection.execute(
            text("""
                INSERT INTO target (channel, sku, location, units, number, rule_version, set_at) VALUES
                    ('grocer', 'MUG', 'SHOP', 2, 1, 1, :now), ('grocer', 'MUG', 'WH', 7, 1, 1, :now),
                    ('grocer', 'TEE', 'WH', 30, 1, 1, :now), ('rival', 'MUG', 'WH', 99, 1, 1, :now)
            """),
            {"now": FIRST_NOW},
        )
    with a_door(the_settings(channel_secrets=SECRETS), database.engine, database) as door:
        yield door


def ask(
    door: Door, partner: str = "grocer", token: str = "of-the-grocer", **query: Any
) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{door.url}/partners/{partner}/availability"
    return requests.get(url, headers=headers, params=query, timeout=10)


def numbers(answer: requests.Response) -> list[tuple[str, str, str, int]]:
    assert answer.status_code == 200, answer.text
    return [(i["sku"], i["item"], i["location"], i["units"]) for i in answer.json()["items"]]


def test_a_partner_sees_its_numbers_in_its_own_words(door: Door) -> None:
    answer = ask(door)

    assert numbers(answer) == [
        ("MUG", "11", "DC2", 2),
        ("MUG", "11", "DC1", 7),
        ("TEE", "22", "DC1", 5),
    ]
    said = answer.json()
    assert (said["partner"], said["next"]) == ("grocer", None)
    assert said["as_of"].endswith("+00:00")
    assert said["items"][0]["since"] == FIRST_NOW.isoformat()
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_partner_may_ask_for_some_items_by_either_name(door: Door) -> None:
    assert numbers(ask(door, sku="TEE")) == [("TEE", "22", "DC1", 5)]
    assert len(numbers(ask(door, sku=["22", "MUG"]))) == 3
    assert numbers(ask(door, sku="77")) == []


def test_pages_follow_one_another_to_the_end(door: Door) -> None:
    seen: list[tuple[str, str, str, int]] = []
    after: str | None = ""
    for _ in range(3):
        page = ask(door, limit=1, after=after)
        seen += numbers(page)
        after = page.json()["next"]

    assert after is None
    assert seen == numbers(ask(door))


def test_what_is_halted_is_not_for_sale(door: Door) -> None:
    assert door.database is not None
    with door.database.engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at)
                VALUES ('grocer', 'MUG', 'recall', 'ann', :now, :now)
            """),
            {"now": FIRST_NOW},
        )

    assert [units for *_, units in numbers(ask(door))] == [0, 0, 5]
    assert numbers(ask(door, "rival", "of-the-rival")) == [("MUG", "77", "9", 99)]


@pytest.mark.parametrize("token", ["", "wrong", "of-the-grocer ", "of-the-groce", "ü"])
def test_nobody_without_a_token_of_ours_learns_anything(door: Door, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()} if token else {}
    told = []
    for partner in ("grocer", "rival", "nobody"):
        url = f"{door.url}/partners/{partner}/availability"
        answer = requests.get(url, headers=headers, timeout=10)
        told.append((answer.status_code, answer.headers.get("WWW-Authenticate"), answer.text))

    assert told[0][:2] == (401, "Bearer")
    assert len(set(told)) == 1


def test_a_partner_learns_nothing_of_another_not_even_whether_it_exists(door: Door) -> None:
    answers = {ask(door, partner).text for partner in ("rival", "nobody", "shop")}

    assert [ask(door, partner).status_code for partner in ("rival", "nobody")] == [404, 404]
    assert len(answers) == 1
    assert ask(door, "shop", "of-the-shop").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "many"},
        {"after": "x"},
        {"after": "e30="},
        {"after": "WzEsMl0="},
        {"sku": "\x00"},
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(door: Door, query: dict[str, str]) -> None:
    answer = ask(door, **query)

    assert answer.status_code == 400
    assert answer.json()["error"]
