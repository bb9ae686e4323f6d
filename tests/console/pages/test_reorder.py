"""The pages of what is to be ordered: lines, what is held back, terms, and what one SKU's numbers come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from console.access.types import Role
from tests.builders import a_fact, book, stock_the_house
from tests.console.api_door import Api, an_api
from tests.servers import Clock, Database
from workers.flows import forecasting

HTML = {"Accept": "text/html"}
SKUS = ("MUG RED/1", "MUG-BLUE")


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    stock_the_house(database.engine, skus=SKUS)
    for sku in SKUS:
        orders = [
            a_fact(
                "order", id=f"{sku}:{week}", order=f"{sku}:{week}", sku=sku, units=5 + week % 3,
                occurred_at=clock.now - timedelta(weeks=week),
            )
            for week in range(1, 30)
        ]  # fmt: skip
        book(database.engine, *orders, now=clock.now)
    with an_api(database, clock, tmp_path) as api:
        yield api


def test_before_a_run_the_page_says_what_to_do(api: Api) -> None:
    page = api.ask("GET", "/reorder", Role.VIEWER, headers=HTML)

    assert page.status_code == 200
    assert "No forecast was run yet." in page.text


def test_each_line_leads_to_what_its_numbers_come_from(api: Api, clock: Clock) -> None:
    forecasting.run(api.database.engine, lambda: clock.now)

    page = api.ask("GET", "/reorder", Role.VIEWER, headers=HTML).text
    one = api.ask("GET", "/reorder/MUG%20RED%2F1", Role.VIEWER, headers=HTML)

    assert "/reorder/MUG%20RED%2F1" in page
    assert "sold and not there" in page
    assert one.status_code == 200
    assert "warm_tsb_20" in one.text
    assert "Order at" in one.text
    assert api.ask("GET", "/reorder/GHOST", Role.VIEWER, headers=HTML).status_code == 404


def test_the_chances_of_a_forecast_stand_in_their_order(api: Api, clock: Clock) -> None:
    forecasting.run(api.database.engine, lambda: clock.now)

    one = api.ask("GET", "/reorder/MUG-BLUE", Role.VIEWER, headers=HTML).text

    chances = [float(each) for each in re.findall(r'<th class="r">([0-9.]+)\W%', one)]
    assert len(chances) > 3
    assert chances == sorted(chances)


def test_every_place_has_its_level_on_a_page_by_sku(api: Api, clock: Clock) -> None:
    empty = api.ask("GET", "/levels", Role.VIEWER, headers=HTML).text
    forecasting.run(api.database.engine, lambda: clock.now)

    page = api.ask("GET", "/levels?limit=1", Role.VIEWER, headers=HTML).text
    blue = api.ask("GET", "/levels?sku=MUG-BLUE", Role.VIEWER, headers=HTML).text

    assert "No place has a level." in empty
    assert "/reorder/MUG%20RED%2F1" in page
    assert 'rel="next"' in page
    assert "/reorder/MUG-BLUE" in blue
    assert "/reorder/MUG%20RED%2F1" not in blue


def test_the_list_is_read_page_by_page_and_searched(api: Api, clock: Clock) -> None:
    forecasting.run(api.database.engine, lambda: clock.now)

    first = api.ask("GET", "/reorder?limit=1", Role.VIEWER, headers=HTML).text
    second = api.ask("GET", "/reorder?limit=1&after=1", Role.VIEWER, headers=HTML).text
    blue = api.ask("GET", "/reorder?sku=MUG-BLUE", Role.VIEWER, headers=HTML).text

    assert 'rel="next"' in first
    assert 'rel="next"' not in second
    assert "/reorder/MUG-BLUE" in blue
    assert "/reorder/MUG%20RED%2F1" not in blue
    assert api.ask("GET", "/reorder?after=x", Role.VIEWER, headers=HTML).status_code in (400, 422)
