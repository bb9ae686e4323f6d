from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from channels.addresses import Address
from channels.base import (
    ChannelError,
    Refused,
    Throttled,
    Unauthorised,
    Unavailable,
    Unreadable,
)
from channels.http import Http, Reply, seconds_of
from channels.outbound import Guarded
from tests.channels.stub import Answer, Stub

TOKEN = "shpat_very_secret"


@pytest.fixture
def http(vendor: Stub) -> Iterator[Http]:
    client = Http(vendor.url, headers={"X-Token": TOKEN}, secrets=[TOKEN], connect_s=1, read_s=0.4)
    yield client
    client.close()


def test_a_document_goes_out_with_every_null_and_our_name(vendor: Stub, http: Http) -> None:
    http.post_json("/graphql", {"quantity": 3, "changeFromQuantity": None})

    (heard,) = vendor.heard
    assert heard.body == b'{"quantity":3,"changeFromQuantity":null}'
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["x-token"] == TOKEN
    assert heard.headers["user-agent"].startswith("lockstep/")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=429, headers={"Retry-After": "7"}), Throttled),
        (Answer(status=429), Throttled),
        (Answer(status=503, headers={"Retry-After": "7"}), Throttled),
        (Answer(status=503), Unavailable),
        (Answer(status=500), Unavailable),
        (Answer(status=502, body=b"<html>bad gateway"), Unavailable),
        (Answer(status=408), Unavailable),
        (Answer(status=401), Unauthorised),
        (Answer(status=403), Unauthorised),
        (Answer(status=400), Refused),
        (Answer(status=404), Refused),
        (Answer(status=302, headers={"Location": "http://127.0.0.1:1/"}), Refused),
        (Answer(cut_after=-1), Unavailable),
        (Answer(body=b"x" * 100, cut_after=40), Unavailable),
        (Answer(delay_s=5), Unavailable),
        # Twenty seconds of it, and never a quarter of the limit between two bytes.
        (Answer(body=b" " * 200, drip_s=0.1), Unavailable),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_failure_is_one_of_our_errors(
    vendor: Stub, http: Http, answer: Answer, expected: type[ChannelError]
) -> None:
    vendor.says(answer)

    with pytest.raises(expected):
        http.post_json("/graphql", {})

    assert len(vendor.heard) == 1


def test_an_answer_that_takes_its_time_and_comes_is_read_whole(vendor: Stub, http: Http) -> None:
    vendor.says(Answer(body=b'{"slow": 1}', drip_s=0.02))

    assert http.json_object(http.call("GET", "/slow")) == {"slow": 1}


def test_a_connection_whose_answer_was_read_is_used_again(vendor: Stub, http: Http) -> None:
    for _ in range(3):
        http.post_json("/graphql", {})

    assert vendor.connections == 1


def test_the_vendors_waiting_time_is_kept(vendor: Stub, http: Http) -> None:
    vendor.says(Answer(status=429, headers={"Retry-After": "2.5"}))

    with pytest.raises(Throttled) as refusal:
        http.post_json("/graphql", {})

    assert refusal.value.retry_after_s == 2.5


@pytest.mark.parametrize(
    ("retry_after", "date", "expected"),
    [
        (None, None, None),
        ("0", None, 0.0),
        ("-3", None, 0.0),
        ("1.5", None, 1.5),
        ("nan", None, 1.0),
        ("inf", None, 3600.0),
        ("1e300", None, 3600.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:30 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None, 1.0),
        ("soon", "Wed, 21 Oct 2026 07:28:00 GMT", 1.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    retry_after: str | None, date: str | None, expected: float | None
) -> None:
    assert seconds_of(retry_after, date) == expected


def test_a_refusal_carries_its_status(vendor: Stub, http: Http) -> None:
    vendor.says(Answer(status=422, body=b"unprocessable"))

    with pytest.raises(Refused, match="unprocessable") as refusal:
        http.post_json("/graphql", {})

    assert refusal.value.code == "422"


def test_a_redirect_never_carries_the_token_elsewhere(vendor: Stub, http: Http) -> None:
    vendor.says(Answer(status=307, headers={"Location": f"{vendor.url}/elsewhere"}))

    with pytest.raises(Refused):
        http.post_json("/graphql", {})

    assert [heard.path for heard in vendor.heard] == ["/graphql"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500, body=b"echo: " + TOKEN.encode()),
        Answer(status=401, body=(b"x" * 190) + TOKEN.encode()),
        Answer(status=400, body=TOKEN.encode() * 40),
    ],
)
def test_no_message_holds_a_secret(vendor: Stub, http: Http, answer: Answer) -> None:
    vendor.says(answer)

    with pytest.raises(ChannelError) as failure:
        http.post_json("/graphql", {})

    assert "very_secret" not in str(failure.value)
    assert failure.value.__cause__ is None


@pytest.mark.parametrize(
    "body", [b"", b"<!doctype html><h1>Shop is asleep</h1>", b'"text"', b"[1]", b"\xff"]
)
def test_an_answer_that_is_no_object_is_unreadable(http: Http, body: bytes) -> None:
    with pytest.raises(Unreadable):
        http.json_object(Reply(200, {}, body))


def test_an_unreadable_answer_shows_its_first_characters_only(http: Http) -> None:
    with pytest.raises(Unreadable) as failure:
        http.json_object(Reply(200, {}, b"<h1>asleep</h1>" + b"z" * 5000))

    assert "<h1>asleep</h1>" in str(failure.value)
    assert len(str(failure.value)) < 300


def test_a_read_is_tried_once_more_when_the_connection_breaks(vendor: Stub, http: Http) -> None:
    vendor.says(Answer(cut_after=-1), Answer(body=b'{"ok":1}'))

    reply = http.post_json("/graphql", {}, idempotent_read=True)

    assert http.json_object(reply) == {"ok": 1}
    assert len(vendor.heard) == 2


@pytest.mark.parametrize("answer", [Answer(status=500), Answer(delay_s=5), Answer(status=429)])
def test_what_the_vendor_answers_or_delays_is_never_tried_again(
    vendor: Stub, http: Http, answer: Answer
) -> None:
    vendor.says(answer)

    with pytest.raises(ChannelError):
        http.post_json("/graphql", {}, idempotent_read=True)

    assert len(vendor.heard) == 1


def test_nobody_at_the_door_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    http = Http(f"http://127.0.0.1:{port}", headers={}, connect_s=0.5)

    with pytest.raises(Unavailable):
        http.post_json("/graphql", {})


class TestWhyThereWasNoAnswer:
    """What an operator reads is the reason, not what the libraries wrap it in."""

    def told(self, http: Http) -> str:
        with pytest.raises(Unavailable) as failure:
            http.call("GET", "/numbers")
        return str(failure.value).partition("/numbers: ")[2]

    def test_a_name_that_leads_nowhere_says_what_to_check(self) -> None:
        def nowhere(host: str, port: int) -> list[Address]:
            raise socket.gaierror(-2, "Name or service not known")

        adapter = Guarded(look_up=nowhere)
        told = self.told(Http("https://nobody.invalid", headers={}, connect_s=1, adapter=adapter))

        assert told.startswith(
            "this name leads nowhere: check the address, then this machine's DNS"
        )
        assert "nobody.invalid" in told
        assert "Pool" not in told

    def test_a_closed_door_says_who_refused(self) -> None:
        assert self.told(Http("http://127.0.0.1:1", headers={}, connect_s=1)) == (
            "127.0.0.1 cannot be reached: [Errno 111] Connection refused"
        )

    def test_a_slow_answer_says_how_long_was_waited(self, vendor: Stub, http: Http) -> None:
        vendor.says(Answer(delay_s=5))

        assert self.told(http) == "no answer in time (read timeout=0.4)"

    def test_a_connection_that_breaks_says_so(self, vendor: Stub, http: Http) -> None:
        vendor.says(Answer(cut_after=-1))

        assert self.told(http).startswith("the connection broke: ")
