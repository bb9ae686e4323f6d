"""The demo: each of its checks fails on what it is there to find; the whole of it runs and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from allocation.document import read
from console.demo import checks, checks_book, checks_shops, goods, playing, sync
from console.demo.evidence import Check, Crash, Evidence, Halted, Notes
from console.demo.shop import Placed, View
from console.local.layout import Played, played

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GID = {"shopify": "gid://1", "outlet": "gid://2"}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_level(
    sku: str, available: int, committed: int = 0, policy: str = "CONTINUE"
) -> dict[str, Any]:
    return {"sku": sku, "available": available, "committed": committed, "policy": policy}


def a_write(
    seq: int, sku: str, seconds: float, available: int, *, swallowed: bool
) -> dict[str, Any]:
    return {
        "seq": seq, "sku": sku, "at": at(seconds), "available": available, "swallowed": swallowed,
    }  # fmt: skip


def a_halt(sku: str) -> Halted:
    return Halted(
        "shopify",
        sku,
        before=a_level(sku, 10),
        during=a_level(sku, 0, policy="DENY"),
        after=a_level(sku, 10),
    )


def a_drift(shop: str, sku: str, cause: str, window_at: datetime | None) -> dict[str, Any]:
    return {
        "channel": shop, "sku": sku, "cause": cause, "window_at": window_at, "expected": 10,
        "actual": 12, "resolved_at": at(80),
    }  # fmt: skip


def a_good_day() -> Evidence:
    """A day on which everything went as it should, small enough to be read."""
    notes = Notes(
        placed=[Placed("shopify", "#1001", "1", (("11", "A", 2),))],
        stretch=(at(0), at(10)),
        crash=Crash(
            "worker-prefork", 100, keys_before=9, keys_after=0, at=at(5), lives=200, restarts=1
        ),
        rubbish={
            "forged": {"status": 401, "kept": ""},
            "large": {"status": 413, "kept": ""},
            "broken": {"state": "rejected", "why": "not JSON"},
            "unknown": {"state": "parked", "why": "unknown SKU", "replayed": True},
        },
        refused=("outlet", "GONE"),
        beside_refused=("A",),
        swallowed=("outlet", "S"),
        storm=("shopify", at(20), at(22)),
        drifted=[("outlet", "O")],
        overwritten=("outlet", "O"),
        halted=a_halt("H"),
        hidden=a_halt("L"),
        repeated_windows=[("shopify", at(60), at(61))],
        flower=(401, 200),
    )
    views = {
        "shopify": View(
            levels={("A", "gid://1"): a_level("A", 8, committed=2)},
            calls=[{"at": at(1), "outcome": "ok"}, {"at": at(21), "outcome": "throttled"}],
            deliveries=[
                {"delivery_id": "d1", "status": 200},
                {"delivery_id": "d1", "status": 200},
                {"delivery_id": "d2", "status": 0},
            ],
        ),
        "outlet": View(
            levels={("A", "gid://2"): a_level("A", 5)},
            writes=[
                a_write(1, "S", 30, 8, swallowed=True),
                a_write(2, "S", 34, 7, swallowed=False),
            ],
        ),
    }
    tables: dict[str, list[dict[str, Any]]] = {
        "sums": [{"events": 3}],
        "inbox": [
            {"source": "shopify", "delivery_id": "d1", "state": "applied", "error": ""},
            {"source": "shopify", "delivery_id": "broken", "state": "rejected", "error": "no JSON"},
        ],
        "order_line": [
            {"channel": "shopify", "order_id": "1", "line_id": "11", "ordered_units": 2},
        ],
        "committed": [{"sku": "A", "units": 2}],
        "in_house": [{"sku": "A", "units": 10}],
        "target": [
            {"channel": shop, "sku": sku, "location": "WH", "units": units, "vendor_location_id": GID[shop]}
            for shop, sku, units in (("shopify", "A", 8), ("outlet", "A", 5), ("outlet", "GONE", 4))
        ],
        "due": [],
        "push_due": [{"channel": "outlet", "sku": "GONE", "parked": True, "error": "no such item"}],
        "run": [
            {
                "channel": "shopify", "window_at": at(60), "finished_at": at(61), "state": "done",
                "attempts": 1, "error": "",
            }
        ],
        "drift": [
            a_drift("outlet", "S", "swallowed_update", None),
            a_drift("outlet", "O", "stale_overwrite", at(60)),
        ],
        "halt": [
            {
                "channel": "shopify", "sku": "H", "state": "lifted", "reason": "too much",
                "confirmed_at": at(62),
            }
        ],
        "hidden": [],
    }  # fmt: skip
    return Evidence(
        notes=notes,
        views=views,
        vendor_ids={"shopify": {"gid://1": "WH"}, "outlet": {"gid://2": "WH"}},
        diary={"A": 10},
        tables=tables,
        findings=[],
        restarts={"worker-prefork": 1, "relay": 0},
    )


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_good_day_passes_every_check(check: Callable[[Evidence], Check]) -> None:
    seen = check(a_good_day())

    assert seen.passed, seen.detail


Doctor = Callable[[Evidence], object]


def row(seen: Evidence, table: str, number: int = 0) -> dict[str, Any]:
    return seen.tables[table][number]


#: What may be wrong, and the check that must find it.
DOCTORED: tuple[tuple[str, Callable[[Evidence], Check], Doctor], ...] = (
    ("a row of the ledger does not add up", checks_book.ledger_proof, lambda s: s.findings.append("x")),
    ("a webhook is missing", checks_book.webhooks_once, lambda s: s.tables["inbox"].pop(0)),
    ("a webhook is kept twice", checks_book.webhooks_once, lambda s: s.tables["inbox"].append(row(s, "inbox"))),
    ("a webhook is parked", checks_book.webhooks_once, lambda s: row(s, "inbox").update(state="parked")),
    ("no webhook was sent", checks_book.webhooks_once, lambda s: s.views["shopify"].deliveries.clear()),
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


def test_the_goods_are_five_hundred_and_each_scene_has_its_own() -> None:
    assert len(set(goods.SKUS)) == 500
    scenes = [goods.RETURNED, goods.SWALLOWED, goods.LAST, *goods.STORM, *goods.BESIDE_REFUSED]
    assert len(set(scenes)) == len(scenes)


def test_the_demos_rules_hold_together() -> None:
    shops = {
        name: Played(name, "shopify", f"http://{name}", name, "", "", "", "")
        for name in goods.SHOPS
    }

    rules = read(goods.rules(shops, {name: {goods.HERE: GID[name]} for name in shops})).rules()

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


# ---- real processes ----


def family(home: Path) -> list[psutil.Process]:
    """Every process that was started with this temporary folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def a_command(scratch: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "console", *words],
        cwd=ROOT,
        env={
            **os.environ,
            "TMPDIR": str(scratch),
            "LOCKSTEP_RELAY_PORT": "0",
            "LOCKSTEP_FLOWER_PORT": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def gone(scratch: Path, limit_s: float = 15.0) -> bool:
    until = time.monotonic() + limit_s
    while family(scratch):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return not list(scratch.glob("lockstep-*"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_demo_passes_and_leaves_nothing_behind(scratch: Path) -> None:
    outcome = scratch / "outcome.json"
    demo = a_command(scratch, "demo", "--orders", "60", "--json", str(outcome))

    said, _ = demo.communicate(timeout=390)

    assert demo.returncode == 0, said
    told = json.loads(outcome.read_text())
    assert told["passed"] is True
    assert [check["name"] for check in told["checks"] if not check["passed"]] == []
    assert len(told["checks"]) == len(checks.CHECKS)
    assert told["time_to_sync_ms"]["n"] > 20
    assert said.splitlines()[-1] == "PASS"
    assert gone(scratch)


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_the_demo_ends_all_of_it(scratch: Path, number: signal.Signals) -> None:
    demo = a_command(scratch, "demo")
    assert demo.stdout is not None
    for line in demo.stdout:
        if "schema" in line:
            break

    demo.send_signal(number)
    demo.communicate(timeout=120)

    assert demo.returncode == 128 + number
    assert gone(scratch)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_played_shops_answer_until_they_are_told_to_stop(scratch: Path) -> None:
    facts = scratch / "facts.json"
    sim = a_command(
        scratch, "sim", "up", "--name", "a", "--name", "b", "--facts", str(facts), "--json"
    )
    assert sim.stdout is not None

    line = sim.stdout.readline()

    assert played(line) == played(facts.read_text())
    assert {one.account for one in played(line).values()} == {"a.myshopify.com", "b.myshopify.com"}
    sim.terminate()
    sim.communicate(timeout=60)
    assert sim.returncode == 0
    assert gone(scratch)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_up_prints_where_everything_is_until_it_is_told_to_stop(scratch: Path) -> None:
    up = a_command(scratch, "up", "--ephemeral", "--simulators")
    assert up.stdout is not None
    said = []
    for line in up.stdout:
        said.append(line.split(" ", 1)[0])
        if line.startswith("home"):
            break

    up.send_signal(signal.SIGINT)
    up.communicate(timeout=120)

    assert said == ["up", "relay", "Flower", "PostgreSQL", "Valkey", "shopify", "home"]
    assert up.returncode == 0
    assert gone(scratch)
