"""Login with Amazon: who gets a token, what it opens, and for how long."""

from __future__ import annotations

import pytest

from channels.simulators.amazon.errors import LwaError
from channels.simulators.amazon.tokens import LIFETIME_S, MIGRATION, NOTIFICATIONS
from tests.channels.simulators.amazon.seller import Seller

PATH = "/notifications/v1/destinations"


def form(seller: Seller, **changes: str) -> dict[str, str]:
    lwa = seller.simulator.lwa
    whole = {
        "grant_type": "refresh_token",
        "refresh_token": lwa.refresh_token,
        "client_id": lwa.client_id,
        "client_secret": lwa.client_secret,
    }
    return {name: text for name, text in {**whole, **changes}.items() if text}


def test_a_refresh_token_buys_an_access_token_for_an_hour(seller: Seller) -> None:
    answer = seller.simulator.lwa.token(form(seller), seller.clock.now())

    assert answer["token_type"] == "bearer"
    assert answer["expires_in"] == 3600
    assert answer["refresh_token"] == seller.simulator.lwa.refresh_token
    assert str(answer["access_token"]).startswith("Atza|")


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"refresh_token": "Atzr|other"}, 400, "invalid_grant"),
        ({"refresh_token": ""}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"client_id": ""}, 400, "invalid_request"),
        ({"grant_type": "client_credentials"}, 400, "invalid_scope"),
        ({"grant_type": "client_credentials", "scope": "profile"}, 400, "invalid_scope"),
    ],
)
def test_a_bad_token_request_is_refused_in_oauth_words(
    seller: Seller, changes: dict[str, str], status: int, error: str
) -> None:
    with pytest.raises(LwaError) as refused:
        seller.simulator.lwa.token(form(seller, **changes), seller.clock.now())

    assert (refused.value.status, refused.value.error) == (status, error)
    assert set(refused.value.body()) == {"error", "error_description"}


def test_a_token_opens_the_api_until_its_hour_is_over(seller: Seller) -> None:
    token = seller.simulator.token()
    path, query = seller.simulator.item_path("FBM-1"), seller.here()

    seller.later(LIFETIME_S - 1)
    before = seller.call("GET", path, query, token=token)
    seller.later(1)
    after = seller.call("GET", path, query, token=token)

    assert before.status == 200
    assert (after.status, after.errors) == (403, ["Unauthorized"])
    assert after.body["errors"][0]["details"] == "The access token you provided has expired."


@pytest.mark.parametrize(
    ("token", "details"),
    [
        ("", "Access token is missing in the request header."),
        ("Atza|made-up", "The access token you provided is revoked, malformed or invalid."),
    ],
)
def test_no_token_and_an_unknown_one_are_a_403(seller: Seller, token: str, details: str) -> None:
    path = seller.simulator.item_path("FBM-1")

    answer = seller.call("GET", path, seller.here(), token=token)

    assert answer.status == 403
    assert answer.body["errors"][0]["details"] == details
    assert "x-amzn-ratelimit-limit" not in answer.headers


def test_a_revoked_token_is_worthless_while_the_refresh_token_lives_on(seller: Seller) -> None:
    token = seller.simulator.token()

    seller.do("revoke_tokens")

    assert seller.call("GET", PATH, token=token).status == 403
    assert seller.item("FBM-1").status == 200


def test_grantless_operations_want_the_clients_own_token(seller: Seller) -> None:
    assert seller.call("GET", PATH).status == 403
    assert seller.call("GET", PATH, token=seller.simulator.token(MIGRATION)).status == 403
    assert seller.call("GET", PATH, token=seller.simulator.token(NOTIFICATIONS)).status == 200


def test_a_clients_own_token_opens_nothing_of_the_seller(seller: Seller) -> None:
    path = seller.simulator.item_path("FBM-1")

    assert seller.call("GET", path, seller.here(), token=seller.grantless()).status == 403
