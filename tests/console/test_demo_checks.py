"""The demo's checks and clock: each check fails on what it is there to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from allocation.document import read
from console.demo import checks, checks_book, checks_lanes, checks_shops, goods, playing, sync
from console.demo.evidence import Check, Crash, Evidence, Notes
from console.demo.shop import View
from console.local.layout import Played, played
from tests.console.demo_day import GID, a_good_day, a_write, at


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_good_day_passes_every_check(check: Callable[[Evidence], Check]) -> None:
    seen = check(a_good_day())

    assert seen.passed, seen.detail


Doctor = Callable[[Evidence], object]


def row(seen: Evidence, table: str, number: int = 0) -> dict[str, Any]:
    return seen.tables[table][number]


def fell(seen: Evidence, fba: tuple[int, int] = (30, 27), own: tuple[int, int] = (0, 0)) -> None:
    """The order that Amazon shipped, with other numbers."""
    assert seen.notes.lanes.mcf is not None
    seen.notes.lanes.mcf = replace(seen.notes.lanes.mcf, fba=fba, own=own)


def no_webhook(seen: Evidence) -> None:
    """Nobody has sent anything."""
    seen.views["shopify"].deliveries.clear()
    seen.lanes["amazon"].deliveries.clear()


#: What may be wrong, and the check that must find it.
DOCTORED: tuple[tuple[str, Callable[[Evidence], Check], Doctor], ...] = (
    ("a row of the ledger does not add up", checks_book.ledger_proof, lambda s: s.findings.append("x")),
    ("a webhook is missing", checks_book.webhooks_once, lambda s: s.tables["inbox"].pop(0)),
    ("a webhook is kept twice", checks_book.webhooks_once, lambda s: s.tables["inbox"].append(row(s, "inbox"))),
    ("a webhook is parked", checks_book.webhooks_once, lambda s: row(s, "inbox").update(state="parked")),
    ("no webhook was sent", checks_book.webhooks_once, no_webhook),
    ("an order is missing", checks_book.orders_booked, lambda s: s.tables["order_line"].clear()),
    ("an order has other units", checks_book.orders_booked, lambda s: row(s, "order_line").update(ordered_units=3)),
    ("the ledger holds more committed", checks_book.committed_units, lambda s: row(s, "committed").update(units=3)),
    ("a shop holds more committed", checks_book.committed_units,
     lambda s: s.views["outlet"].levels["A", "gid://2"].update(committed=1)),
    ("a unit came from nowhere", checks_book.conservation, lambda s: row(s, "in_house").update(units=11)),
    ("a SKU is lost", checks_book.conservation, lambda s: s.diary.update(B=1)),
    ("a delivery waits", checks_book.nothing_waits, lambda s: row(s, "inbox").update(state="waiting")),
    ("a SKU is due", checks_book.nothing_waits, lambda s: s.tables["due"].append({"sku": "A"})),
    ("a number waits", checks_book.nothing_waits, lambda s: row(s, "push_due").update(parked=False)),
    ("a halt is open", checks_book.nothing_waits, lambda s: row(s, "halt").update(state="set")),
    ("a forged delivery is taken", checks_book.rubbish_has_reasons,
     lambda s: s.notes.rubbish["forged"].update(status=200, kept="pending")),
    ("a huge delivery is taken", checks_book.rubbish_has_reasons,
     lambda s: s.notes.rubbish["large"].update(status=200)),
    ("rubbish has no reason", checks_book.rubbish_has_reasons, lambda s: row(s, "inbox", 1).update(error="")),
    ("something else was parked", checks_book.rubbish_has_reasons, lambda s: row(s, "inbox").update(state="parked")),
    ("the unknown SKU stays parked", checks_book.rubbish_has_reasons,
     lambda s: s.notes.rubbish["unknown"].update(replayed=False)),
    ("a shop shows another number", checks_shops.shown_as_should,
     lambda s: s.views["outlet"].levels["A", "gid://2"].update(available=6)),
    ("a listing is gone that was not deleted", checks_shops.shown_as_should,
     lambda s: s.views["shopify"].levels.clear()),
    ("the worker did not come back", checks_shops.crash_survived,
     lambda s: setattr(s.notes, "crash", Crash("worker-prefork", 100, 9, 0, at(5), lives=100))),
    ("Valkey was empty before", checks_shops.crash_survived,
     lambda s: setattr(s.notes, "crash", Crash("worker-prefork", 100, 0, 0, at(5), lives=200, restarts=1))),
    ("another process died", checks_shops.crash_survived, lambda s: s.restarts.update(relay=1)),
    ("the write is not repaired", checks_shops.swallowed_write_found, lambda s: s.views["outlet"].writes.pop()),
    ("it is found after more than ten seconds", checks_shops.swallowed_write_found,
     lambda s: s.views["outlet"].writes[1].update(at=at(41))),
    ("it has no cause", checks_shops.swallowed_write_found, lambda s: row(s, "drift").update(cause="unknown")),
    ("nothing was swallowed", checks_shops.swallowed_write_found,
     lambda s: s.views["outlet"].writes[0].update(swallowed=False)),
    ("a drift was never found", checks_shops.drift_repaired, lambda s: s.tables["drift"].pop()),
    ("a drift is open", checks_shops.drift_repaired, lambda s: row(s, "drift", 1).update(resolved_at=None)),
    ("the overwritten number has no name", checks_shops.drift_repaired,
     lambda s: row(s, "drift", 1).update(cause="unknown")),
    ("the halted SKU was for sale", checks_shops.halt_and_back,
     lambda s: s.notes.halted and s.notes.halted.during.update(policy="CONTINUE")),
    ("the halted SKU showed units", checks_shops.halt_and_back,
     lambda s: s.notes.halted and s.notes.halted.during.update(available=1)),
    ("the halt was not read back", checks_shops.halt_and_back, lambda s: row(s, "halt").update(confirmed_at=None)),
    ("the policy is another one after it", checks_shops.halt_and_back,
     lambda s: s.notes.halted and s.notes.halted.after.update(policy="DENY")),
    ("a sold out listing stays hidden", checks_shops.hidden_and_back,
     lambda s: s.tables["hidden"].append({"channel": "shopify", "sku": "L"})),
    ("the refused row is not parked", checks_shops.refused_row_parked, lambda s: s.tables["push_due"].clear()),
    ("another row is parked too", checks_shops.refused_row_parked,
     lambda s: s.tables["push_due"].append({"channel": "outlet", "sku": "A", "parked": True, "error": "x"})),
    ("a row beside it is not shown", checks_shops.refused_row_parked,
     lambda s: s.views["outlet"].levels["A", "gid://2"].update(available=6)),
    ("a window was missed", checks_shops.windows_once, lambda s: row(s, "run").update(state="missed")),
    ("a window took two attempts", checks_shops.windows_once, lambda s: row(s, "run").update(attempts=2)),
    ("a finished window was done again", checks_shops.windows_once, lambda s: row(s, "run").update(finished_at=at(70))),
    ("calls came too fast", checks_shops.rates_kept,
     lambda s: s.views["outlet"].calls.extend([{"at": at(1), "outcome": "throttled"}] * 3)),
    ("there was no storm", checks_shops.rates_kept, lambda s: s.views["shopify"].calls.pop()),
    ("Amazon's notification is missing", checks_book.webhooks_once, lambda s: s.tables["inbox"].pop(2)),
    ("Amazon holds more committed", checks_book.committed_units, lambda s: s.lanes["amazon"].committed.update(K=1)),
    ("an offer shows another number", checks_lanes.lanes_shown,
     lambda s: s.lanes["amazon"].shown.update({("K", "DEFAULT"): 8})),
    ("the grocer was never told", checks_lanes.lanes_shown, lambda s: s.lanes["grocer"].shown.clear()),
    ("a till is not asked", checks_lanes.lanes_shown, lambda s: s.tables["target"].pop(-2)),
    ("an Amazon order is missing", checks_lanes.lane_orders_booked, lambda s: s.tables["order_line"].pop(1)),
    ("a cancelled order is booked", checks_lanes.lane_orders_booked,
     lambda s: row(s, "order_line", 1).update(order_id="111-2", sku=goods.AMZ_CANCELLED)),
    ("a lane sold nothing", checks_lanes.lane_orders_booked, lambda s: s.notes.lanes.booked.pop()),
    ("Amazon holds more than the ledger", checks_lanes.amazon_mirrored, lambda s: s.lanes["amazon"].held.update(F=28)),
    ("Amazon holds nothing", checks_lanes.amazon_mirrored, lambda s: s.lanes["amazon"].held.clear()),
    ("Amazon's stock fell twice", checks_lanes.mcf_counted_once, lambda s: fell(s, fba=(30, 24))),
    ("our own stock fell too", checks_lanes.mcf_counted_once, lambda s: fell(s, own=(5, 2))),
    ("the shop's word counted again", checks_lanes.mcf_counted_once,
     lambda s: row(s, "order_line", 4).update(shipped_units=6)),
    ("Amazon shipped nothing", checks_lanes.mcf_counted_once, lambda s: setattr(s.notes.lanes, "mcf", None)),
    ("the forgotten update stays", checks_lanes.forgotten_update_found,
     lambda s: setattr(s.notes.lanes, "repaired_at", None)),
    ("it is found after a minute", checks_lanes.forgotten_update_found,
     lambda s: setattr(s.notes.lanes, "repaired_at", at(160))),
    ("an order has no 855", checks_lanes.wholesale_answered,
     lambda s: s.lanes["grocer"].told["orders"]["PO2"]["answered"].clear()),
    ("a 997 is missing", checks_lanes.wholesale_answered, lambda s: s.lanes["grocer"].told.update(unacknowledged=[7])),
    ("the grocer complains", checks_lanes.wholesale_answered,
     lambda s: s.lanes["grocer"].told.update(complaints=["x"])),
    ("an 856 tells less", checks_lanes.wholesale_answered,
     lambda s: s.lanes["grocer"].told["orders"]["PO1"]["lines"][0].update(shipped=20)),
    ("more was promised than there is", checks_lanes.wholesale_answered,
     lambda s: s.lanes["grocer"].told["orders"]["PO2"]["lines"][0].update(promised={"IA": 99})),
    ("Amazon was called too fast", checks_lanes.amazon_rates_kept,
     lambda s: s.lanes["amazon"].calls.append({"at": at(1), "status": 429, "operation": "x"})),
    ("Square was called too fast", checks_lanes.amazon_rates_kept,
     lambda s: s.lanes["till"].calls.append({"at": at(111), "status": 429, "operation": "x"})),
    ("Amazon had no storm", checks_lanes.amazon_rates_kept, lambda s: s.lanes["amazon"].calls.pop(0)),
    ("Flower needs no password", checks_shops.flower_guarded, lambda s: setattr(s.notes, "flower", (200, 200))),
    ("Flower does not answer", checks_shops.flower_guarded, lambda s: setattr(s.notes, "flower", (401, 502))),
)  # fmt: skip


@pytest.mark.parametrize(
    ("_what", "check", "doctor"), DOCTORED, ids=[what for what, *_ in DOCTORED]
)
def test_what_is_wrong_is_found(
    _what: str, check: Callable[[Evidence], Check], doctor: Doctor
) -> None:
    seen = a_good_day()
    doctor(seen)

    assert not check(seen).passed


@pytest.mark.parametrize(("channel", "passes"), [("amazon", True), ("outlet", False)])
def test_a_window_in_amazons_storm_may_take_two_attempts_at_amazon_only(
    channel: str, passes: bool
) -> None:
    seen = a_good_day()
    row(seen, "run").update(channel=channel, window_at=at(109), attempts=2)
    seen.notes.repeated_windows.clear()
    seen.notes.repeated_windows.append((channel, at(109), row(seen, "run")["finished_at"]))

    assert checks_shops.windows_once(seen).passed is passes


@pytest.mark.parametrize(
    ("window_at", "error", "passes"),
    [
        (25, "Throttled: square:LOCATION: 1.6 of 20 tokens are left", True),
        (25, "Refused: the catalogue is not to be read", False),
        (80, "Throttled: square:LOCATION: 1.6 of 20 tokens are left", False),
    ],
)
def test_a_window_may_fail_for_want_of_tokens_only_while_certificates_take_them(
    window_at: float, error: str, passes: bool
) -> None:
    seen = a_good_day()
    seen.notes.certifying = (at(20), at(40))
    seen.tables["run"].append(
        row(seen, "run")
        | {"channel": "till", "window_at": at(window_at), "state": "failed", "error": error}
    )

    assert checks_shops.windows_once(seen).passed is passes


def test_every_check_is_tried_with_something_wrong() -> None:
    assert {check for _, check, _ in DOCTORED} == set(checks.CHECKS)


def test_a_day_on_which_nothing_happened_fails() -> None:
    nothing = Evidence(
        notes=Notes(),
        views={"shopify": View()},
        vendor_ids={},
        diary={},
        tables={name: [] for name in a_good_day().tables} | {"sums": [{"events": 0}]},
        findings=[],
    )

    passed = {check.name for check in checks.judge(nothing) if check.passed}

    assert passed == {"nothing waits"}


RULES = read("""
[locations.WH-MAIN]
[exposure]
on = false
why = "numbers easy to follow"
[channels.shopify]
kind = "shopify"
base_url = "http://a"
locations = ["WH-MAIN"]
show_at = "WH-MAIN"
vendor_locations = { "gid://1" = "WH-MAIN" }
[channels.outlet]
kind = "shopify"
base_url = "http://b"
locations = ["WH-MAIN"]
show_at = "WH-MAIN"
cap = 9
why = "nine at most"
vendor_locations = { "gid://2" = "WH-MAIN" }
""").rules()  # fmt: skip
PLACES = {"A": {("shopify", "WH-MAIN"), ("outlet", "WH-MAIN")}}


def a_move(kind: str, channel: str | None, after: int, accepted: datetime | None) -> dict[str, Any]:
    opening = kind == "opening"
    return {
        "kind": kind, "channel": channel, "sku": "A", "received_at": accepted,
        "from_location": "OUTSIDE" if opening else "WH-MAIN", "from_after": -after if opening else after,
        "from_state": "opening" if opening else "available",
        "to_location": "WH-MAIN", "to_after": after if opening else 1,
        "to_state": "available" if opening else "committed",
    }  # fmt: skip


def test_an_order_needs_the_other_shop_only_where_its_number_falls() -> None:
    moves = [
        a_move("opening", None, 10, None),
        a_move("order", "outlet", 9, at(1)),
        a_move("order", "shopify", 8, at(2)),
        a_move("order", "shopify", 7, at(99)),
    ]

    found = sync.needs(moves, RULES, PLACES, (at(0), at(10)))

    assert found == [sync.Need("A", "shopify", 9, at(1)), sync.Need("A", "outlet", 8, at(2))]


@pytest.mark.parametrize(
    ("writes", "took_ms"),
    [
        ([a_write(1, "A", 1.3, 9, swallowed=False)], 300.0),
        ([a_write(1, "A", 1.3, 8, swallowed=False)], 300.0),  # a newer number, lower still
        ([a_write(1, "A", 0.9, 9, swallowed=False)], None),  # before the order was accepted
        ([a_write(1, "A", 1.3, 10, swallowed=False)], None),  # an older number
        ([a_write(1, "A", 1.3, 9, swallowed=True), a_write(2, "A", 3, 9, swallowed=False)], 2000.0),
        ([a_write(1, "B", 1.3, 9, swallowed=False)], None),
    ],
)
def test_the_clock_stops_at_the_first_write_of_the_new_number_or_a_newer(
    writes: list[dict[str, Any]], took_ms: float | None
) -> None:
    need = sync.Need("A", "shopify", 9, at(1))

    assert sync.measure([need], {"shopify": writes}) == [(need, took_ms)]


def test_percentiles_are_of_the_nearest_rank_and_count_what_never_came() -> None:
    told = sync.spread([*map(float, range(1, 101)), None])

    assert (told.n, told.p50, told.p95, told.p99, told.most, told.never) == (
        100,
        50,
        95,
        99,
        100,
        1,
    )


def test_no_order_is_no_time() -> None:
    assert sync.spread([]).as_json() == {"p50": 0, "p95": 0, "p99": 0, "max": 0, "n": 0, "never": 0}


def test_the_goods_are_five_hundred_and_fifty_and_each_scene_has_its_own() -> None:
    assert (len(set(goods.SKUS)), len(goods.OWN)) == (550, 540)
    scenes = [goods.RETURNED, goods.SWALLOWED, goods.LAST, *goods.STORM, *goods.BESIDE_REFUSED]
    assert len(set(scenes)) == len(scenes)


def test_the_demos_rules_hold_together() -> None:
    shops = {
        name: Played(name, "shopify", f"http://{name}", name, "", "", "", "")
        for name in goods.SHOPS
    }

    places = {name: {goods.HERE: GID[name]} for name in shops}
    places["outlet"][goods.FBA] = "gid://amazon"
    rules = read(goods.rules(shops, places, {"shopify": {"api_version": "2026-07"}})).rules()

    assert [channel.name for channel in rules.channels] == list(goods.SHOPS)


def test_accounts_survive_the_way_through_their_file(tmp_path: Path) -> None:
    one = Played("outlet", "shopify", "http://b", "b.example", "http://b/control", "t", "w", "c")

    playing.write_facts(tmp_path / "facts", {"outlet": one})

    assert played((tmp_path / "facts").read_text()) == {"outlet": one}
    assert (tmp_path / "facts").stat().st_mode & 0o077 == 0


def test_accounts_are_named_after_their_kind_unless_they_have_names() -> None:
    assert [one.name for one in playing.wanted((), ("shopify",), 2)] == ["shopify-1", "shopify-2"]
    assert [one.name for one in playing.wanted(("a", "b"), (), 1)] == ["a", "b"]
    assert [one.port for one in playing.at_ports(playing.wanted(("a", "b"), (), 1), 9100)] == [
        9100,
        9101,
    ]
