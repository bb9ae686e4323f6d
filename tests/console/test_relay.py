"""Webhooks at the relay: what is kept, what is refused, and how a body may come over the wire."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.builders import a_fact
from tests.console.door import (
    BODY_LIMIT,
    NEW,
    OLD,
    ONE,
    SECOND,
    Door,
    a_door,
    a_door_with_channels,
    head,
    set_up_channels,
    signed,
    the_settings,
)
from tests.servers import Database


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.fixture
def door(database: Database) -> Iterator[Door]:
    with a_door_with_channels(database) as door:
        yield door


def test_a_webhook_is_kept_under_its_channel_as_it_came(door: Door) -> None:
    body = b'{"id":  1, "name": "\xc3\xa5"}'

    answer = door.hook(body)

    assert (answer.status_code, answer.json()) == (200, {"kept": 1, "repeated": 0})
    assert door.inbox() == [("shop", "d-1", "orders/create", body)]


def test_what_was_answered_is_committed(door: Door) -> None:
    for number in range(20):
        assert door.hook(delivery_id=f"d-{number}").status_code == 200

        assert len(door.inbox()) == number + 1


def test_a_repeated_webhook_changes_nothing(door: Door) -> None:
    door.hook()

    for _ in range(100):
        assert door.hook().json() == {"kept": 0, "repeated": 1}

    assert len(door.inbox()) == 1


def test_a_reused_delivery_id_loses_neither_body(door: Door) -> None:
    door.hook(b'{"id": 1}')

    second = [door.hook(b'{"id": 2}') for _ in range(2)]

    assert [answer.json()["kept"] for answer in second] == [1, 0]
    assert [row[3] for row in door.inbox()] == [b'{"id": 1}', b'{"id": 2}']


def test_a_webhook_without_an_id_is_known_by_its_body(door: Door) -> None:
    answers = [door.hook(body, delivery_id="").json()["kept"] for body in (b"1", b"2", b"1")]

    assert answers == [1, 1, 0]


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_during_a_rotation_both_secrets_count(door: Door, secret: str) -> None:
    assert door.hook(secret=secret).status_code == 200


def test_the_secret_says_which_channel_it_is_whatever_the_header_says(door: Door) -> None:
    assert door.hook(secret=SECOND).status_code == 200

    assert door.inbox()[0][0] == "second"


def test_a_body_nobody_signed_is_refused(door: Door) -> None:
    wrong = ["", "AAAA", "=", "\xe9", signed(b'{"id": 2}'), signed(ONE)[:-2], "x" * 8000]

    answers = [
        door.raw(head("X-Shopify-Topic: orders/create", f"X-Shopify-Hmac-Sha256: {signature}"), ONE)
        for signature in wrong
    ]

    assert {answer[9:12] for answer in answers} == {b"401"}
    assert door.inbox() == []


def test_a_changed_bit_in_the_body_is_refused(door: Door) -> None:
    body = b'{"id": 1}'

    for position in range(len(body)):
        flipped = bytearray(body)
        flipped[position] ^= 1
        answer = door.hook(bytes(flipped), X_Shopify_Hmac_Sha256=signed(body))
        assert answer.status_code == 401

    assert door.inbox() == []


def test_a_webhook_without_a_topic_is_refused(door: Door) -> None:
    assert door.hook(topic="").status_code == 400
    assert door.inbox() == []


def test_a_webhook_cannot_pose_as_a_canonical_event(door: Door) -> None:
    """No signature covers the topic: who may send a shop's webhooks must not be able to book anything at all."""
    receipt = json.dumps(a_fact("receipt", units=1_000_000)).encode()

    for topic in ("fact", "FACT", "Fact"):
        assert door.hook(receipt, topic=topic).status_code == 400

    assert door.inbox() == []


def test_an_unknown_kind_is_not_found(door: Door) -> None:
    unknown = ["ebay", "shopify%00", "..%2fevents", "%ff", "a" * 3000]

    assert {door.hook(kind=kind).status_code for kind in unknown} == {404}


@pytest.mark.parametrize("secrets", ["{}", '{"shop": {"token": "t", "webhook_secrets": [""]}}'])
def test_a_kind_without_a_secret_is_closed(database: Database, secrets: str) -> None:
    set_up_channels(database)
    with a_door(the_settings(channel_secrets=secrets), database.engine, database) as door:
        answer = door.hook(secret="")

        assert answer.status_code == 404
        assert "LOCKSTEP_CHANNEL_SECRETS" in answer.json()["error"]


def test_an_empty_body_is_refused(door: Door) -> None:
    assert [door.hook(body).status_code for body in (b"", b" \n")] == [400, 400]


def test_a_signed_body_is_kept_whatever_it_says(door: Door) -> None:
    """What is in it is the drain's matter; the shop would only send it again."""
    bodies = [
        b"not json",
        b"\xff\xfe\x00",
        b"\x00" * 100,
        b'{"id": NaN}',
        b'{"id": 1e400}',
        b'{"id": 99999999999999999999999999}',
        b'{"id": 1, "id": 2}',
        b'{"a": "\\ud800\\u0000"}',
        nested(10_000),
        b"[" * 50_000,
    ]

    answers = {door.hook(body, delivery_id="").status_code for body in bodies}

    assert answers == {200}
    assert [row[3] for row in door.inbox()] == bodies


def test_headers_are_kept_without_tokens_and_cookies(door: Door) -> None:
    door.hook(
        X_Shopify_Access_Token="shpat_1",
        X_Amz_Security_Token="amz_1",
        Cookie="c=cookie_1",
        Authorization="Bearer auth_1",
        X_Shopify_Api_Version="2026-07",
    )

    assert door.database is not None
    with door.database.owner.connect() as connection:
        headers = connection.execute(text("SELECT headers FROM inbox")).scalar_one()
    assert headers["x-shopify-api-version"] == "2026-07"
    assert not [v for v in headers.values() if v.endswith("_1")]


def test_nul_in_a_header_is_no_error_of_ours(door: Door) -> None:
    for header in ("X-Shopify-Topic: a\0b", "X-Shopify-Webhook-Id: \0", "X-Shopify-Note: \1\0"):
        answer = door.raw(
            head("X-Shopify-Topic: orders/create", f"X-Shopify-Hmac-Sha256: {signed(ONE)}", header),
            ONE,
        )

        assert answer[:10] in (b"HTTP/1.1 2", b"HTTP/1.1 4")


def test_a_topic_or_id_of_any_length_and_script_fits(door: Door) -> None:
    topic, delivery_id = "orders/" + "\xf8" * 5000, "\xff" * 5000
    answer = door.raw(
        head(
            f"X-Shopify-Hmac-Sha256: {signed(ONE)}",
            f"X-Shopify-Topic: {topic}",
            f"X-Shopify-Webhook-Id: {delivery_id}",
        ),
        ONE,
    )

    assert answer.startswith(b"HTTP/1.1 200")


def test_ids_that_differ_after_the_255th_character_are_two_deliveries(door: Door) -> None:
    answers = [door.hook(delivery_id="x" * 300 + end).json()["kept"] for end in ("a", "b", "a")]

    assert answers == [1, 1, 0]


# --- the body on the wire ---


def test_a_body_that_says_it_is_too_large_is_not_read(door: Door) -> None:
    answer = door.raw(head(length=BODY_LIMIT + 1))

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_length_of_forty_digits_is_refused(door: Door) -> None:
    answer = door.raw(head(length=int("9" * 40)))

    assert answer[9:12] in (b"400", b"413")


def test_a_chunked_body_is_cut_at_the_limit(door: Door) -> None:
    def stream(wire: socket.socket) -> None:
        chunk = b"%x\r\n%s\r\n" % (10_000, b"x" * 10_000)
        try:
            for _ in range(30):
                wire.sendall(chunk)
        except OSError:
            return

    answer = door.raw(
        "POST /hooks/shopify HTTP/1.1\nHost: x\nTransfer-Encoding: chunked", more=stream
    )

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_of_the_exact_limit_is_taken(door: Door) -> None:
    assert door.hook(b"x" * BODY_LIMIT).status_code == 200
    assert door.hook(b"x" * (BODY_LIMIT + 1), delivery_id="d-2").status_code == 413


def test_two_megabytes_are_refused(door: Door) -> None:
    assert door.hook(b"x" * 2_000_000).status_code == 413


def test_a_compressed_body_is_refused(door: Door) -> None:
    body = gzip.compress(b"{}")

    for encoding in ("gzip", "GZIP", "br", "deflate"):
        assert door.hook(body, Content_Encoding=encoding).status_code == 415


def test_a_sender_that_never_ends_its_body_is_sent_away(database: Database) -> None:
    set_up_channels(database)
    with a_door(the_settings(), database.engine, database, body_s=0.3) as door:
        begun = time.monotonic()
        answer = door.raw(head(length=100), b"{")

    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - begun < 5


def test_a_sender_that_drips_its_body_is_sent_away(database: Database) -> None:
    def drip(wire: socket.socket) -> None:
        for _ in range(6):
            time.sleep(0.1)
            wire.sendall(b" ")

    set_up_channels(database)
    with a_door(the_settings(), database.engine, database, body_s=0.3) as door:
        answer = door.raw(head(length=100), b"{", more=drip)

    assert answer.startswith(b"HTTP/1.1 408")


def test_a_sender_that_hangs_up_leaves_nothing(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port)) as wire:
        wire.sendall(head(length=100).replace("\n", "\r\n").encode() + b"\r\n\r\n{")

    assert door.hook().status_code == 200
    assert len(door.inbox()) == 1


def test_other_methods_are_refused(door: Door) -> None:
    for way in ("GET", "PUT", "DELETE", "PATCH"):
        answer = door.raw(f"{way} /hooks/shopify HTTP/1.1\nHost: x\nContent-Length: 0")

        assert answer.startswith(b"HTTP/1.1 405")
