"""`lockstep sku explain`: the whole way of a number, for people and for scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.builders import a_fact, book
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Clock, Database
from tests.workers.shelf import HALT, RULES, House, a_house, apply
from workers.flows.push import push
from workers.flows.verify import verify

Lockstep = Callable[..., Said]

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
BUFFER = 'buffer = 2\nwhy = "two stay back"\n'


@pytest.fixture
def run(database: Database) -> Lockstep:
    def run(*command: str) -> Said:
        return lockstep("sku", "explain", *command, environment=surroundings(database))

    return run


@pytest.fixture
def house(database: Database) -> House:
    """A was opened with 10 at nine, sold 1 at ten past and was shown, read back, and halted later."""
    house = a_house(database.engine, Clock(START), "A", "B", rules=RULES + BUFFER)
    opened = a_fact("opening", id="o", sku="A", location="WH", units=10, occurred_at=START)
    book(database.engine, opened, now=START)
    house.allocate()
    sold_at = house.clock.advance(600)
    sold = a_fact("order", id="s", sku="A", location="WH", units=1, occurred_at=sold_at)
    book(database.engine, sold, now=sold_at)
    house.allocate()
    house.clock.advance(60)
    push(house.lane)
    house.clock.advance(60)
    verify(house.lane)
    return house


def test_people_see_each_step_with_its_reason(run: Lockstep, house: House) -> None:
    said = run("A", "--channel", "shop")

    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == ["A", "on", "shop", "at", "WH:", "7"]
    assert ["ledger", "A", "at", "WH:", "9", "available,", "version", "2"] in lines
    assert ["+10", "opening", "1", "event"] in lines
    assert ["-1", "order", "1", "event"] in lines
    assert ["=9", "after", "2", "events"] in lines
    assert ["+9", "9", "available", "A/WH/2", "WH", "9"] in lines
    assert ["9", "=", "pool"] in lines
    assert ["9", "=", "share:", "all", "of", "its", "pool"] in lines
    assert ["-2", "7", "buffered", "rules", "1", "buffer", "2", "(two", "stay", "back)"] in lines
    assert ["7", "=", "target"] in lines
    assert ["shown", "7,", "number", "2,", "confirmed", "2026-03-02", "09:11:00"] in lines
    (read,) = [line for line in said.out.splitlines() if line.startswith("read back")]
    assert read.startswith("read back 7 at 2026-03-02 09:12:00")
    assert said.out.splitlines()[-1] == "check     the sums agree: 2 events, 2 terms, one number"


def test_scripts_get_the_same_in_full(run: Lockstep, house: House) -> None:
    said = run("A", "--channel", "shop", "--json").read

    assert set(said) == {
        "sku", "channel", "location", "at", "told", "ledger", "terms", "target", "push", "shown", "reading",
        "waits", "halts", "hidden_at", "held_by", "lag", "adds_up", "faults",
    }  # fmt: skip
    assert (said["sku"], said["channel"], said["location"], said["at"]) == ("A", "shop", "WH", None)
    assert [(term["name"], term["units"], term["sum"]) for term in said["terms"]] == [
        ("available", 9, 9),
        ("buffered", -2, 7),
    ]
    assert sum(term["units"] for term in said["terms"]) == said["target"]["units"] == 7
    (account,) = said["ledger"]
    assert sum(kind["units"] for kind in account["kinds"]) == account["units"] == 9
    assert [event["source_id"] for event in account["newest"]] == ["s", "o"]
    assert account["since"] == {"units": 0, "events": 0, "kinds": [], "newest": []}
    assert said["target"]["rules"]["author"] == "ann"
    assert (said["push"]["units"], said["reading"]["units"]) == (7, 7)
    assert (said["adds_up"], said["faults"]) == (True, [])


@pytest.mark.parametrize("at", ["2026-03-02T09:05:00", "2026-03-02T10:05:00+0100"])
def test_a_moment_of_the_past_is_answered_from_history(
    run: Lockstep, house: House, at: str
) -> None:
    said = run("A", "--channel", "shop", "--at", at)
    in_full = run("A", "--channel", "shop", "--at", at, "--json").read

    assert said.out.startswith("A on shop at WH at 2026-03-02 09:05:00: 8\n")
    assert "read back unknown: no read-back of that time is kept" in said.out
    assert "shown     nothing was confirmed" in said.out
    assert in_full["at"] == "2026-03-02T09:05:00+00:00"
    assert (in_full["target"]["units"], in_full["target"]["number"]) == (8, 1)
    assert in_full["push"] is in_full["shown"] is in_full["waits"] is None


def test_before_the_first_number_there_is_nothing_to_explain(run: Lockstep, house: House) -> None:
    said = run("A", "--channel", "shop", "--at", "2026-03-01")

    assert said.code == 1
    assert "the first one is of 2026-03-02T09:00:00+00:00" in said.err


def test_the_future_is_no_history(run: Lockstep, house: House) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")

    said = run("A", "--channel", "shop", "--at", later)

    assert said.code == 2
    assert "in the future" in said.err


def test_what_stands_in_the_way_is_said(run: Lockstep, house: House, database: Database) -> None:
    sold = a_fact("order", id="t", order="2", sku="A", location="WH", units=2, occurred_at=START)
    book(database.engine, sold, now=house.clock.now)
    due = run("A", "--channel", "shop").out
    house.allocate()
    house.run("UPDATE push_due SET parked = true, error = 'no such item'")
    house.run(HALT, at=house.clock.now)

    out = run("A", "--channel", "shop").out

    assert "-2 in 1 event: not in the number yet, the SKU is due since" in due
    assert "order wms/t" in due
    assert "waits     parked: see lockstep push parked" in out
    assert "no such item" in out
    assert "halt      1: r (ann, " in out


def test_what_the_channel_sold_since_is_no_fault_of_the_push(run: Lockstep, house: House) -> None:
    house.run("UPDATE shown SET units = 5")

    assert (
        "shown     5, number 2: 7 less what the channel sold since"
        in run("A", "--channel", "shop").out
    )


def test_quotas_tell_of_lags_that_are_assumed(run: Lockstep, database: Database) -> None:
    two = RULES + RULES.replace("[locations.WH]\n", "").replace("shop.", "pos.").replace(
        "channels.shop", "channels.pos"
    )
    house = a_house(database.engine, Clock(START), "A", rules=two)
    opened = a_fact("opening", id="o", sku="A", location="WH", units=3, occurred_at=START)
    book(database.engine, opened, now=START)
    house.allocate()

    out = run("A", "--channel", "shop").out

    assert "lag       never measured; assumed: detect, queue, push, visible" in out
    assert "pos" in out


def test_sums_that_do_not_agree_are_an_error(run: Lockstep, database: Database) -> None:
    house = a_house(database.engine, Clock(START), "A")
    house.set(A=5)

    said = run("A", "--channel", "shop")
    in_full = run("A", "--channel", "shop", "--json")

    assert said.code == in_full.code == 1
    assert "THE SUMS DO NOT AGREE" in said.out
    assert "That is a mistake in Lockstep" in said.err
    assert in_full.read["adds_up"] is False


def test_a_number_without_kept_arithmetic_is_told_as_far_as_it_goes(
    run: Lockstep, house: House
) -> None:
    house.run("UPDATE target SET units = 3")

    said = run("A", "--channel", "shop")
    in_full = run("A", "--channel", "shop", "--json").read

    assert said.code == 0
    assert "terms     not kept: set before the arithmetic of targets was kept" in said.out
    assert "check     nothing to add up" in said.out
    assert (in_full["adds_up"], in_full["terms"], in_full["target"]["units"]) == (None, [], 3)


def test_an_unknown_name_is_a_sentence(run: Lockstep, house: House, database: Database) -> None:
    with database.engine.begin() as connection:
        apply(connection, RULES, START)
        connection.execute(text("INSERT INTO sku (sku) VALUES ('MUG-RED')"))

    said = run("MUG-RDE", "--channel", "shop")

    assert (said.code, said.err) == (1, "Error: there is no SKU 'MUG-RDE'; there is MUG-RED\n")
