"""What vendors still allow, on the first page: in calls and points, and without holding it up."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import redis

from channels.limits import Bucket
from channels.shopify.lane import STANDARD
from console.access.types import Role
from tests.console.api_door import Api, an_api
from tests.servers import Clock, Database

HTML = {"Accept": "text/html"}


def limits_of(api: Api) -> str:
    answer = api.ask("GET", "/now/limits", Role.VIEWER, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_what_a_channel_may_still_call_is_told_in_points(
    database: Database, clock: Clock, tmp_path: Path, valkey: str
) -> None:
    with an_api(database, clock, tmp_path, redis_url=valkey) as api:
        account = api.rows(
            "SELECT coalesce(account, channel) AS name FROM channel WHERE channel = 'shop'"
        )
        with closing(redis.Redis.from_url(valkey)) as client:
            bucket = Bucket(
                client, f"shopify:{account[0]['name']}", maximum=STANDARD.maximum, restore_rate=0,
                prefix="lockstep:local",
            )  # fmt: skip
            bucket.take(500)

        page = limits_of(api)

    free, full = (
        f"{n:,.0f}".replace(",", "\u202f") for n in (STANDARD.maximum - 500, STANDARD.maximum)
    )
    assert f">{free}</td>" in page
    assert f">{full}</td>" in page


def test_without_redis_the_page_says_so(database: Database, clock: Clock, tmp_path: Path) -> None:
    with an_api(database, clock, tmp_path) as api:
        assert "Redis does not answer" in limits_of(api)
        assert "Redis" not in api.ask("GET", "/", Role.VIEWER, headers=HTML).text
