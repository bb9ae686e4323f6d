"""Amazon's tokens and calls: against the simulator, and against a vendor that says what the test tells it to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from channels.amazon.api import Missing, SellingPartner
from channels.amazon.operations import OPERATIONS
from channels.amazon.tokens import Credentials, Tokens
from channels.base import Refused, Throttled, Unauthorised, Unavailable, Unreadable
from channels.limits import Allowance, Bucket, Limiter
from channels.simulators.amazon.models import GRANTLESS, operations
from channels.simulators.amazon.serving import AmazonRunning
from tests.channels.amazon_rig import AmazonRig, an_account
from tests.channels.stub import Answer, Stub
from tests.servers import Clock

SECRETS = Credentials("client-1", "shhh-secret", "Atzr|refresh")


@pytest.fixture(scope="module")
def account() -> Iterator[AmazonRunning]:
    with an_account() as running:
        yield running


@pytest.fixture
def rig(account: AmazonRunning) -> Iterator[AmazonRig]:
    made = AmazonRig(account)
    yield made
    made.close()


def a_token(text: str, *, lives_s: float = 3600) -> dict[str, object]:
    return {"access_token": text, "token_type": "bearer", "expires_in": lives_s}


def tokens_of(vendor: Stub, clock: Clock) -> Tokens:
    return Tokens(SECRETS, now=lambda: clock.now, lwa_url=f"{vendor.url}/auth/o2/token")


def api_of(
    vendor: Stub, clock: Clock, limits: Callable[[str, Allowance], Limiter] | None = None
) -> SellingPartner:
    """A client whose tokens and calls all go to the stub."""

    def full(name: str, allowed: Allowance) -> Limiter:
        rate = allowed.restore_per_s
        return Bucket(None, name, maximum=allowed.maximum, restore_rate=rate, alone_share=1)

    return SellingPartner(
        vendor.url,
        tokens_of(vendor, clock),
        limits=limits or full,
        seller_id="A1",
        marketplace_id="ATVPDKIKX0DER",
        read_s=1.0,
    )


# ---- tokens ----


def test_a_token_is_asked_for_once_and_made_again_before_it_expires(
    vendor: Stub, clock: Clock
) -> None:
    vendor.says(a_token("one"), a_token("two"))
    tokens = tokens_of(vendor, clock)

    first = [tokens.get(), tokens.get()]
    clock.advance(3600 - 301)
    still = tokens.get()
    clock.advance(2)

    assert (first, still, tokens.get()) == (["one", "one"], "one", "two")
    assert len(vendor.heard) == 2


def test_eight_threads_at_once_ask_for_one_token(vendor: Stub, clock: Clock) -> None:
    vendor.says(Answer(json.dumps(a_token("one")).encode(), delay_s=0.2), a_token("two"))
    tokens = tokens_of(vendor, clock)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tokens.get(), range(8)))

    assert found == ["one"] * 8
    assert len(vendor.heard) == 1


def test_a_token_refused_by_many_at_once_is_made_again_once(vendor: Stub, clock: Clock) -> None:
    vendor.says(a_token("one"), a_token("two"), a_token("three"))
    tokens = tokens_of(vendor, clock)
    tokens.get()

    for _ in range(3):
        tokens.forget("one")
        assert tokens.get() == "two"


def test_seller_and_application_have_tokens_of_their_own(vendor: Stub, clock: Clock) -> None:
    vendor.says(a_token("seller"), a_token("application"))
    tokens = tokens_of(vendor, clock)

    assert (tokens.get(), tokens.get(grantless=True)) == ("seller", "application")
    asked = [heard.body.decode() for heard in vendor.heard]
    assert "grant_type=refresh_token&refresh_token=Atzr%7Crefresh" in asked[0]
    assert "grant_type=client_credentials&scope=sellingpartnerapi%3A%3Anotifications" in asked[1]


@pytest.mark.parametrize(
    ("status", "error"), [(400, "invalid_grant"), (401, "invalid_client"), (403, "access_denied")]
)
def test_refused_credentials_stop_the_channel_and_no_secret_is_told(
    vendor: Stub, clock: Clock, status: int, error: str
) -> None:
    said = {"error": error, "error_description": "Atzr|refresh of client-1 with shhh-secret"}
    vendor.says(Answer(json.dumps(said).encode(), status=status))

    with pytest.raises(Unauthorised) as refusal:
        tokens_of(vendor, clock).get()

    assert error in str(refusal.value)
    for secret in ("Atzr|refresh", "client-1", "shhh-secret"):
        assert secret not in str(refusal.value) + repr(SECRETS)


@pytest.mark.parametrize(
    "body", [b'{"access_token": "half', b"[]", b'{"token": "of another kind"}']
)
def test_a_token_answer_that_cannot_be_read_says_so_without_showing_it(
    vendor: Stub, clock: Clock, body: bytes
) -> None:
    vendor.says(Answer(body))

    with pytest.raises(Unreadable) as problem:
        tokens_of(vendor, clock).get()

    assert "another kind" not in str(problem.value)


def test_while_login_is_down_no_call_is_paid_for(vendor: Stub, clock: Clock) -> None:
    vendor.says(Answer(status=500))
    buckets: dict[str, Limiter] = {}

    def limits(name: str, allowed: Allowance) -> Limiter:
        rate = allowed.restore_per_s
        bucket = Bucket(None, name, maximum=allowed.maximum, restore_rate=rate, alone_share=1)
        return buckets.setdefault(name, bucket)

    with pytest.raises(Unavailable):
        api_of(vendor, clock, limits).call("getFeed", path={"feedId": "1"})

    assert buckets == {}


def test_a_revoked_token_is_replaced_within_the_call(rig: AmazonRig) -> None:
    list(rig.channel.snapshot(list(rig.bindings().values())))
    rig.do("revoke_tokens")

    readings = list(rig.channel.snapshot(list(rig.bindings().values())))

    assert {reading.units for reading in readings} == {10}
    refused = [call for call in rig.called("searchListingsItems") if call["status"] == 403]
    assert len(refused) == 1


def test_a_token_lives_on_through_an_hour_of_calls(rig: AmazonRig) -> None:
    for _ in range(5):
        rig.advance(1000)
        assert rig.channel.sale_state(rig.bindings()["SKU-A"]) == {"units": "10"}

    assert {call["status"] for call in rig.called("getListingsItem")} == {200}


def test_a_call_that_stays_forbidden_is_tried_twice_and_stops_the_channel(
    vendor: Stub, clock: Clock
) -> None:
    denied = {
        "errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied."}]
    }
    vendor.says(
        a_token("one"),
        Answer(json.dumps(denied).encode(), status=403),
        a_token("two"),
        Answer(json.dumps(denied).encode(), status=403),
    )

    with pytest.raises(Unauthorised, match="Unauthorized: Access to requested resource is denied"):
        api_of(vendor, clock).call("getFeed", path={"feedId": "1"})

    assert [heard.headers.get("x-amz-access-token") for heard in vendor.heard] == [
        None,
        "one",
        None,
        "two",
    ]


# ---- calls ----


def test_a_call_names_us_as_amazon_asks_and_goes_to_the_right_place(
    vendor: Stub, clock: Clock
) -> None:
    vendor.says(a_token("one"), {"sku": "x"})

    api_of(vendor, clock).call(
        "getListingsItem", path={"sellerId": "A1", "sku": "50% off/blue #1?"}, query={"a": "b,c"}
    )

    heard = vendor.heard[-1]
    assert heard.path == "/listings/2021-08-01/items/A1/50%25%20off%2Fblue%20%231%3F?a=b%2Cc"
    assert heard.headers["user-agent"].startswith("Lockstep/0.1 (Language=Python/3.")
    assert len(heard.headers["user-agent"]) <= 500


@pytest.mark.parametrize("sku", ["blue/50%", "a b", "ä+ö&ü", "q?x=1#y", "%2F", "a,b"])
def test_whatever_stands_in_a_sku_reaches_its_listing(rig: AmazonRig, sku: str) -> None:
    rig.listed({sku: 7})
    binding = rig.bindings()[sku]

    assert rig.channel.stop_sale(binding) == {"units": "7"}
    assert rig.shown(sku) == 0
    assert [reading.units for reading in rig.channel.snapshot([binding])] == [0]


@pytest.mark.parametrize("sku", [".", "..", ""])
def test_a_sku_that_no_path_can_carry_is_refused_before_anything_is_sent(
    vendor: Stub, clock: Clock, sku: str
) -> None:
    vendor.says(a_token("one"))

    with pytest.raises(Refused) as refusal:
        api_of(vendor, clock).call("getListingsItem", path={"sellerId": "A1", "sku": sku})

    assert refusal.value.code == "INVALID_PATH"
    assert vendor.heard == []


def test_what_is_not_there_and_what_is_wrong_are_told_apart(rig: AmazonRig) -> None:
    api = rig.channel.api

    with pytest.raises(Missing) as missing:
        api.call("getFeed", path={"feedId": "123456"})
    with pytest.raises(Refused) as wrong:
        api.call("searchOrders", query={"marketplaceIds": api.marketplace_id})

    assert missing.value.code == "NotFound"
    assert (type(wrong.value), wrong.value.code) == (Refused, "InvalidInput")


def test_a_broken_read_is_tried_once_more_and_a_broken_write_is_not(
    vendor: Stub, clock: Clock
) -> None:
    vendor.says(a_token("one"), Answer(cut_after=-1), {"feedId": "1"}, Answer(cut_after=-1))
    api = api_of(vendor, clock)

    assert api.call("getFeed", path={"feedId": "1"}) == {"feedId": "1"}
    with pytest.raises(Unavailable):
        api.call("createFeed", body={})

    assert [heard.method for heard in vendor.heard] == ["POST", "GET", "GET", "POST"]


def test_an_access_token_that_comes_back_in_an_answer_is_not_told(
    vendor: Stub, clock: Clock
) -> None:
    vendor.says(a_token("Atza|very-secret"), Answer(b"Atza|very-secret is no good", status=500))

    with pytest.raises(Unavailable) as problem:
        api_of(vendor, clock).call("getFeed", path={"feedId": "1"})

    assert "very-secret" not in str(problem.value)


def test_an_html_page_with_200_is_unreadable(rig: AmazonRig) -> None:
    rig.do("fault", kind="html", operation="getFeed", count=1)

    with pytest.raises(Unreadable):
        rig.channel.api.call("getFeed", path={"feedId": "123456"})


# ---- limits ----


def test_our_usage_plans_and_grantless_operations_are_the_vendors() -> None:
    theirs = {(one.name, one.method, "/" + "/".join(one.path)): one for one in operations()}

    for ours in OPERATIONS.values():
        plan = theirs[ours.name, ours.method, ours.path]
        assert (ours.burst, ours.rate_per_s) == (plan.burst, plan.rate_per_s), ours.name
        assert ours.grantless is (ours.name in GRANTLESS), ours.name


def test_each_operation_has_a_limit_of_its_own_and_is_not_called_past_it(rig: AmazonRig) -> None:
    api, mark = rig.channel.api, rig.now() - timedelta(hours=1)
    rig.advance(1)

    for _ in range(20):
        list(rig.channel.orders_since(mark))
    with pytest.raises(Throttled) as refusal:
        list(rig.channel.orders_since(mark))

    assert 170 < refusal.value.retry_after_s < 180
    calls = rig.called("searchOrders")
    assert (len(calls), {call["status"] for call in calls}) == (20, {200})
    with pytest.raises(Missing):
        api.call("getFeed", path={"feedId": "123456"})


def test_a_storm_of_429_closes_the_bucket_for_as_long_as_one_call_takes(rig: AmazonRig) -> None:
    mark = rig.now() - timedelta(hours=1)
    rig.do("fault", kind="throttle", operation="searchOrders", count=1)

    with pytest.raises(Throttled) as storm:
        list(rig.channel.orders_since(mark))
    with pytest.raises(Throttled):
        list(rig.channel.orders_since(mark))

    assert storm.value.retry_after_s == pytest.approx(1 / 0.0056)
    assert len(rig.called("searchOrders")) == 1
    rig.advance(storm.value.retry_after_s)
    assert list(rig.channel.orders_since(mark)) == []


def test_a_rate_that_amazon_tells_takes_the_place_of_the_plans(rig: AmazonRig) -> None:
    rig.do("limit", operation="searchOrders", rate=2, burst=20)
    mark = rig.now() - timedelta(hours=1)
    list(rig.channel.orders_since(mark))

    bucket = rig.buckets["searchOrders"].state()

    assert (bucket.restore_per_s, bucket.calls_away) == (2.0, 0)
    rig.do("fault", kind="throttle", operation="searchOrders", count=1)
    with pytest.raises(Throttled) as storm:
        list(rig.channel.orders_since(mark))
    assert storm.value.retry_after_s == pytest.approx(1.0)


@pytest.mark.parametrize("told", ["", "soon", "0", "-1", "nan", "inf"])
def test_a_rate_that_makes_no_sense_is_not_believed(vendor: Stub, clock: Clock, told: str) -> None:
    buckets: dict[str, Bucket] = {}

    def limits(name: str, allowed: Allowance) -> Limiter:
        rate = allowed.restore_per_s
        buckets[name] = Bucket(None, name, maximum=15, restore_rate=rate, alone_share=1)
        return buckets[name]

    headers = {"x-amzn-RateLimit-Limit": told}
    vendor.says(a_token("one"), Answer(b"{}", headers=headers))

    api_of(vendor, clock, limits).call("getFeed", path={"feedId": "1"})

    assert buckets["getFeed"].state().restore_per_s == 2


# ---- documents ----


def test_a_presigned_url_never_sees_a_token_and_never_shows_in_an_error(
    vendor: Stub, clock: Clock
) -> None:
    vendor.says(Answer(b"", status=403), Answer(b"<Error>sig=abc</Error>", status=500))
    api = api_of(vendor, clock)

    with pytest.raises(Unavailable, match="five minutes"):
        api.upload(f"{vendor.url}/file?sig=abc", "application/json", b"{}")
    with pytest.raises(Unavailable) as broken:
        api.download(f"{vendor.url}/file?sig=abc")

    assert all("x-amz-access-token" not in heard.headers for heard in vendor.heard)
    assert "sig=abc" not in str(broken.value)


@pytest.mark.parametrize("url", ["", "/file", "file:///etc/passwd", "ftp://host/x"])
def test_a_documents_url_that_leads_nowhere_is_unreadable(
    vendor: Stub, clock: Clock, url: str
) -> None:
    with pytest.raises(Unreadable):
        api_of(vendor, clock).download(url)


def test_a_document_that_is_not_what_it_says_is_unreadable(vendor: Stub, clock: Clock) -> None:
    vendor.says(Answer(b"\x1f\x8bnot gzip"))

    with pytest.raises(Unreadable, match="gzipped"):
        api_of(vendor, clock).download(f"{vendor.url}/file", "GZIP")
