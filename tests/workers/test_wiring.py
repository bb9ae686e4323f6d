"""What a process is made of: secrets read strictly, clients made anew with their channel, sentences when not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.console.door import set_up_channels
from tests.servers import Database
from workers.settings import Settings
from workers.wiring import NotSetUp, Secrets, Wiring, read_secrets


def told(**wished: object) -> Settings:
    return Settings.model_validate(wished)


@pytest.fixture
def wiring(database: Database, valkey: str) -> Iterator[Wiring]:
    set_up_channels(database)
    secrets = json.dumps({"shop": {"token": "t-1"}})
    settings = told(database_url=database.app_url, redis_url=valkey, channel_secrets=secrets)
    with closing(Wiring(settings)) as wiring:
        yield wiring


def test_secrets_come_by_channel() -> None:
    said = '{"shop": {"token": "t", "webhook_secrets": ["new", "old"]}, "pos": {"token": "p"}}'

    assert read_secrets(told(channel_secrets=said)) == {
        "shop": Secrets({"token": "t"}, ("new", "old")),
        "pos": Secrets({"token": "p"}),
    }


@pytest.mark.parametrize("said", ["", " ", "{}"])
def test_no_secrets_are_none(said: str) -> None:
    assert read_secrets(told(channel_secrets=said)) == {}


@pytest.mark.parametrize(
    "said",
    [
        '{"shop": {"token": "hush", "webhook_secrets": "hush"}}',
        '{"shop": {"token": null, "hush": 1}}',
        '{"shop": {"webhook_secrets": ["hush", 3]}}',
        '{"shop": {"token": 12345, "x": "hush"}}',
        '{"shop": "hush"}',
        '["hush"]',
        "hush",
        '{"shop": {"token": "hush"',
    ],
)
def test_secrets_in_another_form_are_refused_and_not_repeated(said: str) -> None:
    """A bare string would make every one of its letters a secret that signs."""
    with pytest.raises(NotSetUp) as refused:
        read_secrets(told(channel_secrets=said))

    assert "hush" not in str(refused.value)
    assert "LOCKSTEP_CHANNEL_SECRETS" in str(refused.value)


def test_an_empty_webhook_secret_is_none() -> None:
    said = '{"shop": {"webhook_secrets": ["", "old"]}}'

    assert read_secrets(told(channel_secrets=said))["shop"].webhook_secrets == ("old",)


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(Secrets({"token": "hush"}, ("hush",)))


def test_secrets_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text('{"shop": {"token": "from the file"}}')

    assert read_secrets(told(channel_secrets_file=file))["shop"].named["token"] == "from the file"
    assert read_secrets(
        told(channel_secrets_file=file, channel_secrets='{"shop": {"token": "t"}}')
    ) == {"shop": Secrets({"token": "t"})}


@pytest.mark.parametrize("content", [None, b"\xff\xfe hush", b"hush"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secrets.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(NotSetUp, match=r"secrets\.json") as refused:
        read_secrets(told(channel_secrets_file=file))

    assert "hush" not in str(refused.value)


def test_without_addresses_the_message_says_what_to_set() -> None:
    wiring = Wiring(told())

    with pytest.raises(NotSetUp, match="LOCKSTEP_DATABASE_URL"):
        _ = wiring.engine
    with pytest.raises(NotSetUp, match="LOCKSTEP_REDIS_URL"):
        _ = wiring.redis


def test_a_channel_has_one_client_until_its_row_changes(database: Database, wiring: Wiring) -> None:
    first = wiring.client("shop")

    assert wiring.client("shop") is first

    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE channel SET base_url = 'https://new.example' WHERE channel = 'shop'")
        )
    assert wiring.client("shop") is not first


def test_eight_threads_share_one_client(wiring: Wiring) -> None:
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(wiring.client("shop"))) for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_channel_that_cannot_work_says_why(database: Database, wiring: Wiring) -> None:

    with pytest.raises(NotSetUp, match="no channel 'nowhere'"):
        wiring.client("nowhere")
    with pytest.raises(NotSetUp, match="no token for channel 'second'"):
        wiring.client("second")

    with database.superuser.begin() as connection:
        connection.execute(text("UPDATE channel SET kind = 'ebay' WHERE channel = 'shop'"))
    with pytest.raises(NotSetUp, match="'ebay', which no lane serves"):
        wiring.client("shop")
