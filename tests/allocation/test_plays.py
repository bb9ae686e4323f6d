"""The playbook in the rule file: which play decides, and what the file is refused for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from allocation.document import RuleFileError, read, remarks
from allocation.plays import Response, play_for

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SHOPS = """\
[locations.WH]
[tags]
limited = ["CAP-*", "TEE-1"]
[channels.web]
kind = "shopify"
base_url = "https://web.example"
locations = ["WH"]
vendor_locations = { "1" = "WH" }
[channels.till]
kind = "square"
base_url = "https://till.example"
locations = ["WH"]
vendor_locations = { "2" = "WH" }
"""


def a_play(response: str, *more: str, why: str = "as agreed") -> str:
    return "\n".join(
        ("[[playbook]]", f'response = "{response}"', *more, f'why = "{why}"' if why else "", "")
    )


BOOK = (
    SHOPS
    + "[oversold]\ncosts = { hold = 35, refund = 52.5 }\nwhy = 'accounts'\n"
    + a_play("refund", 'tag = "limited"')
    + a_play("expedite", 'channel = "web"', "least_value = 200", "cost = 80")
    + a_play("split", 'channel = "web"', "from = 2026-03-05", "until = 2026-03-06")
    + a_play("hold", 'channel = "web"', "wait_minutes = 15")
)


@pytest.mark.parametrize(
    ("sku", "channel", "value", "days", "response"),
    [
        ("CAP-RED", "till", None, 0, "refund"),
        ("TEE-1", "web", Decimal(500), 0, "refund"),
        ("MUG", "web", Decimal(200), 0, "expedite"),
        ("MUG", "web", Decimal("199.99"), 0, "hold"),
        ("MUG", "web", None, 0, "hold"),
        ("MUG", "web", None, 3, "split"),
        ("MUG", "web", None, 4, "hold"),
        ("MUG", "till", Decimal(500), 0, None),
    ],
)
def test_the_first_play_that_fits_decides(
    sku: str, channel: str, value: Decimal | None, days: int, response: str | None
) -> None:
    play = play_for(read(BOOK).plays(), sku, channel, value, NOON + timedelta(days=days))

    assert (play and play.response.value) == response


def test_costs_and_waits_are_read() -> None:
    book = read(BOOK).plays()

    assert book.costs == {Response.HOLD: 35, Response.REFUND: Decimal("52.5")}
    assert [(play.cost, play.wait_minutes) for play in book.plays] == [
        (None, 0), (80, 0), (None, 0), (None, 15),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("added", "where", "what"),
    [
        (a_play("hold", why=""), "playbook.0.why", "is missing"),
        (a_play("ignore"), "playbook.0.response", "'hold', 'substitute', 'split'"),
        (a_play("hold", 'channel = "wbe"'), "playbook.0.channel", "no channel wbe; did you mean web?"),
        (a_play("hold", 'tag = "nobody"'), "playbook.0.tag", "there is no tag nobody"),
        (a_play("hold", 'sku = "A"', 'tag = "limited"'), "playbook.0.tag", "exclude each other"),
        (a_play("hold", "from = 2026-03-02", "until = 2026-03-01"), "playbook.0.until", "ends before"),
        (a_play("hold", "wait_minutes = -1"), "playbook.0.wait_minutes", "greater than or equal to 0"),
        (a_play("hold", "cost = 'much'"), "playbook.0.cost", "should be a number"),
        (a_play("hold", "hold = 1"), "playbook.0.hold", "is not a setting"),
        ("[oversold]\ncosts = { hold = 1 }\n", "oversold.why", "is missing"),
        ("[oversold]\ncosts = { wait = 1 }\nwhy = 'x'\n", "oversold.costs.wait", "hold"),
        (a_play("hold") + a_play("split", 'channel = "web"'), "playbook.1", "never decides: playbook.0"),
        (a_play("hold", 'tag = "limited"') + a_play("split", 'sku = "CAP-9"'), "playbook.1", "never"),
        (a_play("hold", "least_value = 5") + a_play("split", "least_value = 9"), "playbook.1", "never"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_is_refused(added: str, where: str, what: str) -> None:
    with pytest.raises(RuleFileError) as refused:
        read(SHOPS + added)

    (problem,) = refused.value.problems
    assert problem.where == where
    assert what in problem.message


@pytest.mark.parametrize(
    "added",
    [
        a_play("hold", 'channel = "web"') + a_play("split"),
        a_play("hold", "least_value = 9") + a_play("split", "least_value = 5"),
        a_play("hold", 'sku = "CAP-9"') + a_play("split", 'tag = "limited"'),
        a_play("hold", "from = 2026-03-02") + a_play("split"),
        a_play("hold", "until = 2026-03-02") + a_play("split", "from = 2026-03-01"),
    ],
)
def test_an_entry_that_decides_for_somebody_is_kept(added: str) -> None:
    assert len(read(SHOPS + added).plays().plays) == 2


def test_who_checks_the_file_hears_of_a_season_that_is_over_and_not_of_a_tag_that_is_used() -> None:
    source = SHOPS + a_play("hold", 'tag = "limited"', "until = 2026-03-01")

    said = remarks(source, read(source), "lockstep.toml", NOON)

    assert [(each.where, each.message) for each in said] == [
        ("playbook.0.until", "is over since 2026-03-01 00:00 UTC")
    ]
