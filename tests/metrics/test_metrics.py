"""What the exporter tells: the numbers of the tables, counted once, whoever asks and however often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import requests
import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from console.metrics.door import application
from console.metrics.exporter import Exporter
from console.metrics.names import BY_NAME, METRICS
from console.metrics.types import LABELS
from tests.builders import a_fact, deliver
from tests.builders import a_house as an_inbox_house
from tests.metrics.house import execute, told
from tests.servers import Clock, Database
from tests.workers.shelf import House
from workers.flows.ingest import drain
from workers.flows.push import push

DRIFT = """
    INSERT INTO drift (channel, sku, location, window_at, expected, actual, cause, evidence, action, seen_at,
                       last_at)
    VALUES ('shop', :sku, 'WH', :at, 5, 8, :cause, '{}', 're-push', :at, :at)
"""
HALT = """
    INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at, state, confirmed_at)
    VALUES ('shop', 'A', 'r', 'ann', :at, :at, 'set', :at)
"""


@contextmanager
def served(exporter: Exporter, token: str = "") -> Iterator[str]:
    """The exporter's door on a free port; its address."""
    app = application(exporter, token)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    with closing(server.config.bind_socket()) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def an_order(house: House, number: int, *, late_s: float) -> None:
    at = house.clock.now
    house.clock.advance(late_s)
    fact = a_fact(
        "order", id=f"o{number}", order=str(number), channel="shop", sku="A", location="WH", units=1, occurred_at=at
    )  # fmt: skip
    deliver(house.engine, fact, now=house.clock.now)
    drain(an_inbox_house(house.engine), now=house.clock.now)


def test_every_metric_is_told_with_its_help_and_nothing_else(exporter: Exporter) -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(exporter.page().decode())
    }

    assert {family.documentation for family in families.values()} == {m.help for m in METRICS}
    assert set(families) == {metric.name.removesuffix("_total") for metric in METRICS}


def test_labels_are_those_that_are_declared_and_never_a_sku(exporter: Exporter) -> None:
    exporter.look_slowly()
    for family in text_string_to_metric_families(exporter.page().decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(BY_NAME[name].labels)
    assert {label for metric in METRICS for label in metric.labels} == set(LABELS)
    assert not {"sku", "order", "task"} & set(LABELS)


def test_names_follow_the_conventions_of_prometheus() -> None:
    for metric in METRICS:
        assert metric.name.startswith("lockstep_")
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert metric.kind != "histogram" or metric.name.endswith("_seconds")
        assert metric.help
        assert not metric.help.endswith(".")


def test_time_to_sync_is_counted_once_a_push_in_buckets(exporter: Exporter, house: House) -> None:
    told(exporter)
    house.set(A=10, B=10, C=10)
    house.clock.advance(20)
    push(house.lane)
    house.clock.advance(60)

    first, again = told(exporter), told(exporter)

    sent = 'lockstep_sync_seconds_{}{{channel="shop",direction="drop"{}}}'
    pushes = sum(
        value for name, value in first.items() if name.startswith("lockstep_sync_seconds_count")
    )
    assert pushes == 3
    assert {name: value for name, value in again.items() if "sync" in name} == {
        name: value for name, value in first.items() if "sync" in name
    }
    assert sent.format("count", "") in first
    with_le = [name for name in first if name.startswith("lockstep_sync_seconds_bucket")]
    assert len(with_le) == 24


def test_capture_delay_is_in_the_bucket_that_its_bound_belongs_to(
    exporter: Exporter, house: House
) -> None:
    told(exporter)
    an_order(house, 1, late_s=60)
    an_order(house, 2, late_s=61)
    house.clock.advance(60)

    found = told(exporter)

    bucket = 'lockstep_capture_seconds_bucket{{channel="shop",le="{}"}}'
    assert [found[bucket.format(le)] for le in ("30.0", "60.0", "120.0", "+Inf")] == [0, 1, 2, 2]
    assert found['lockstep_capture_seconds_sum{channel="shop"}'] == 121


def test_an_order_that_is_told_again_is_not_captured_again(
    exporter: Exporter, house: House
) -> None:
    told(exporter)
    an_order(house, 1, late_s=5)
    an_order(house, 1, late_s=5)
    house.clock.advance(60)

    assert told(exporter)['lockstep_capture_seconds_count{channel="shop"}'] == 1


def test_a_restart_and_a_second_exporter_lose_and_double_nothing(
    make: Callable[..., Exporter], clock: Clock, house: House
) -> None:
    before = make()
    told(before)
    an_order(house, 1, late_s=5)
    clock.advance(60)
    told(before)
    an_order(house, 2, late_s=5)
    clock.advance(60)

    after, beside = make(), make()

    name = 'lockstep_capture_seconds_count{channel="shop"}'
    assert [told(each)[name] for each in (after, beside, before)] == [2, 2, 2]


def test_a_row_that_was_still_being_written_is_counted_by_the_next_look(
    exporter: Exporter, house: House
) -> None:
    told(exporter)
    an_order(house, 1, late_s=5)
    name = 'lockstep_capture_seconds_count{channel="shop"}'

    at_once = told(exporter)[name]
    house.clock.advance(60)

    assert (at_once, told(exporter)[name]) == (0, 1)


def test_drifts_are_told_open_found_and_by_their_exposure(exporter: Exporter, house: House) -> None:
    told(exporter)
    execute(house, DRIFT, sku="A", cause="swallowed_update", at=house.clock.now)
    execute(house, DRIFT, sku="B", cause="unknown", at=house.clock.now)
    house.clock.advance(130)

    found = told(exporter)

    assert found['lockstep_drifts{cause="unknown",channel="shop"}'] == 1
    assert found['lockstep_drifts_found_total{cause="swallowed_update",channel="shop"}'] == 1
    assert found['lockstep_drifts_found_total{cause="external_edit",channel="shop"}'] == 0
    assert found['lockstep_drift_unknown_ratio{channel="shop"}'] == 0.5
    # Three units each, until what may still be being written.
    assert found['lockstep_drift_exposure_unit_seconds_total{channel="shop"}'] == 2 * 3 * 100


def test_a_repair_is_as_long_as_the_drift_was_open(exporter: Exporter, house: House) -> None:
    told(exporter)
    execute(house, DRIFT, sku="A", cause="swallowed_update", at=house.clock.now)
    now = house.clock.advance(200)
    execute(house, "UPDATE drift SET resolved_at = :now, result = 'repaired'", now=now)
    house.clock.advance(60)

    found = told(exporter)

    bucket = 'lockstep_repair_seconds_bucket{{channel="shop",le="{}"}}'
    assert [found[bucket.format(le)] for le in ("60.0", "300.0")] == [0, 1]
    assert found['lockstep_drift_exposure_unit_seconds_total{channel="shop"}'] == 600
    assert found['lockstep_drifts{cause="swallowed_update",channel="shop"}'] == 0


def test_halted_time_adds_up_over_looks_and_ends_with_the_halt(
    exporter: Exporter, house: House
) -> None:
    told(exporter)
    execute(house, HALT, at=house.clock.now)
    name = 'lockstep_halt_seconds_total{channel="shop"}'
    seconds = []
    for _ in range(2):
        house.clock.advance(60)
        seconds.append(told(exporter)[name])
    standing = told(exporter)['lockstep_halts{channel="shop",state="set"}']
    lifted = (
        "UPDATE halt SET state = 'lifted', lifted_at = :now, lifted_by = 'ann', lift_reason = 'r'"
    )
    execute(house, lifted, now=house.clock.now)
    for _ in range(2):
        house.clock.advance(60)
        seconds.append(told(exporter)[name])

    assert (standing, seconds) == (1, [30, 90, 120, 120])


def test_what_waits_is_told_by_channel_and_priority(exporter: Exporter, house: House) -> None:
    house.set(A=10, B=10, C=10)
    house.clock.advance(40)

    found = told(exporter)

    waiting = {
        name: value for name, value in found.items() if name.startswith("lockstep_push_due{")
    }
    assert len(waiting) == 4
    assert sum(waiting.values()) == 3
    assert max(v for n, v in found.items() if n.startswith("lockstep_push_oldest_seconds")) == 40
    assert found["lockstep_inbox_oldest_seconds"] == 0


def test_failed_work_is_told_by_class(exporter: Exporter, house: House) -> None:
    failure = """
        INSERT INTO failure (origin, object, class, channel, error, first_seen, last_seen)
        VALUES ('inbox', '7', 'mapping', 'shop', 'no such item', :at, :at)
    """
    execute(house, failure, at=house.clock.now)
    house.clock.advance(30)

    found = told(exporter)

    assert found['lockstep_failures{channel="shop",class="mapping",state="open"}'] == 1
    assert found['lockstep_failure_oldest_seconds{class="mapping"}'] == 30
    assert found['lockstep_failure_oldest_seconds{class="bug"}'] == 0


def test_windows_of_a_day_are_told_by_how_they_ended(exporter: Exporter, house: House) -> None:
    run = """
        INSERT INTO run (job, channel, window_at, state, started_at, finished_at, expected, read)
        VALUES ('reconcile', 'shop', :window_at, :state, :window_at, :finished_at, 4, :read)
    """
    at = house.clock.now
    execute(house, run, window_at=at, state="done", finished_at=at, read=3)
    later = at + timedelta(minutes=15)
    execute(house, run, window_at=later, state="missed", finished_at=later, read=0)
    house.clock.advance(1000)

    found = told(exporter)

    windows = 'lockstep_runs{{channel="shop",job="reconcile",state="{}"}}'
    assert [found[windows.format(state)] for state in ("done", "missed")] == [1, 1]
    done_at = found['lockstep_run_done_timestamp_seconds{channel="shop",job="reconcile"}']
    assert done_at == at.timestamp()
    assert found['lockstep_readback_rows_total{channel="shop"}'] == 3
    assert found['lockstep_readback_coverage_ratio{channel="shop"}'] == 0


def test_a_pick_that_failed_counts_for_its_store(exporter: Exporter, house: House) -> None:
    execute(house, "INSERT INTO location (location, kind) VALUES ('STORE', 'store')")
    told(exporter)
    fact = a_fact(
        "count", id="c1", sku="A", location="STORE", counted=0, reason="nothing there",
        reason_code="failed_pick", occurred_at=house.clock.now,
    )  # fmt: skip
    deliver(house.engine, fact, now=house.clock.now)
    drain(an_inbox_house(house.engine), now=house.clock.now)
    house.clock.advance(60)

    found = told(exporter)

    assert found['lockstep_pickup_failed_picks_total{location="STORE"}'] == 1
    assert found['lockstep_pickup_lines_total{location="STORE"}'] == 0


def test_the_ledger_is_proved_after_a_scrape_and_found_broken(
    exporter: Exporter, house: House, database: Database
) -> None:
    an_order(house, 1, late_s=1)
    with database.superuser.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("UPDATE balance SET units = units + 1"))
    before = told(exporter)

    exporter.look_slowly()

    assert "lockstep_ledger_clean" not in before
    assert told(exporter)["lockstep_ledger_clean"] == 0


def test_without_redis_the_rest_is_told(make: Callable[..., Exporter]) -> None:
    found = told(make(redis_url="redis://127.0.0.1:1/0"))

    assert not [name for name in found if "rate_headroom" in name]
    assert found['lockstep_channel_paused{channel="shop"}'] == 0


def test_the_door_asks_for_its_token_and_keeps_a_page_for_a_moment(
    exporter: Exporter, house: House
) -> None:
    exporter.monotonic = lambda: 1.0
    key = {"authorization": "Bearer let-me-in"}
    with served(exporter, "let-me-in") as url:
        refused = requests.get(f"{url}/metrics", timeout=10)
        let_in = requests.get(f"{url}/metrics", headers=key, timeout=10)
        execute(house, "UPDATE channel SET paused = true, paused_by = 'ann', paused_why = 'r'")
        again = requests.get(f"{url}/metrics", headers=key, timeout=10)
        alive = requests.get(f"{url}/healthz", timeout=10)

    assert [each.status_code for each in (refused, let_in, again, alive)] == [401, 200, 200, 200]
    assert 'lockstep_channel_paused{channel="shop"} 0.0' in again.text
    assert let_in.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_without_the_database_a_scrape_fails_rather_than_tells_half(
    make: Callable[..., Exporter],
) -> None:
    exporter = make(database_url="postgresql+psycopg://nobody@127.0.0.1:1/lockstep")
    with served(exporter) as url:
        assert requests.get(f"{url}/metrics", timeout=20).status_code == 503
