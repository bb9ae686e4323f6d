"""Traces: from one order in the relay one can walk to the read-back of what it changed, over every row between."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from ledger.db import connect, transaction
from reconcile.proving import Proof
from tests.builders import a_house as drain_house
from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.console.door import Door, a_door, the_settings
from tests.servers import Database
from tests.workers.shopify_house import ShopHouse, a_shop_house
from workers.flows import receive
from workers.flows.allocate import allocate
from workers.flows.ingest import drain
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.traces import Traces
from workers.flows.verify import verify

ROOT = Path(__file__).resolve().parents[2]
STEPS = ["receive", "book", "allocate", "push", "read back"]


class Followed:
    """A house whose every process tells the same collector; `door` is its relay."""

    def __init__(self, house: ShopHouse, door: Door, traces: Traces, told: InMemorySpanExporter):
        self.house, self.door, self.traces, self.told = house, door, traces, told

    def order(self, name: str, units: int = 1, sku: str = "SKU-A", **headers: str) -> None:
        """The till of the warehouse sold some: a canonical event at the relay."""
        # The relay goes by the clock on the wall, and the shop's may be days ahead of it.
        sold_at = datetime.now(UTC) - timedelta(hours=1)
        fact = {
            "kind": "write_off", "source": "wms", "id": name, "sku": sku, "location": "OSLO", "units": units,
            "reason": "broken", "actor": "ann", "occurred_at": sold_at.isoformat(),
        }  # fmt: skip
        assert self.door.events([fact], **headers).status_code == 200

    def book(self) -> None:
        house = replace(drain_house(self.house.database.engine), traces=self.traces)
        drain(house, now=self.house.rig.now())

    def compute(self) -> None:
        engine, now = self.house.database.engine, self.house.rig.now
        allocate(engine, now=now, rise_wait_s=0, traces=self.traces)

    def lane(self) -> Lane:
        rig = self.house.rig
        rig.advance(1)
        names = iter(f"key-{rig.now().isoformat()}-{n}" for n in range(100))
        return Lane(
            engine=self.house.database.engine, client=rig.channel, now=rig.now, chance=lambda: 0.5,
            new_key=lambda: next(names), rise_wait_s=0, verify_after_s=0.0, proof=Proof(),
            traces=self.traces,
        )  # fmt: skip

    def show_and_look(self) -> None:
        push(self.lane())
        verify(self.lane())

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.told.get_finished_spans() if span.name == name]

    def reached_from(self, begin: ReadableSpan) -> list[str]:
        """Names of the spans that one comes to from here, by being their parent or being linked to."""
        reached, names = {_id(begin)}, [begin.name]
        for span in sorted(self.told.get_finished_spans(), key=lambda s: STEPS.index(s.name)):
            causes = {span.parent.span_id} if span.parent else set()
            causes |= {link.context.span_id for link in span.links}
            if causes & reached:
                reached.add(_id(span))
                names.append(span.name)
        return names


def _id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


@pytest.fixture
def told() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def tracing(told: InMemorySpanExporter, **more: Any) -> Traces:
    provider = TracerProvider(shutdown_on_exit=False, **more)
    provider.add_span_processor(SimpleSpanProcessor(told))
    return Traces(provider.get_tracer("lockstep"))


@pytest.fixture
def followed(rig: ShopifyRig, database: Database, told: InMemorySpanExporter) -> Iterator[Followed]:
    house = a_shop_house(rig, database)
    traces, engine = tracing(told), connect(database.app_url)
    with a_door(the_settings(), engine, database, traces=traces) as door:
        yield Followed(house, door, traces, told)
    engine.dispose()


def test_one_order_is_one_trace_from_the_relay_to_the_read_back(followed: Followed) -> None:
    followed.order("w-1", units=3)
    followed.book()
    followed.compute()
    followed.show_and_look()

    spans = followed.told.get_finished_spans()
    assert [span.name for span in spans] == STEPS
    assert len({span.context.trace_id for span in spans if span.context}) == 1
    parents = [span.parent.span_id if span.parent else None for span in spans]
    assert parents == [None, *map(_id, spans[:-1])]
    sent, read = spans[-2].attributes or {}, spans[-1].attributes or {}
    assert (sent["lockstep.channel"], sent["lockstep.sku"], sent["lockstep.units"]) == (
        CHANNEL, "SKU-A", 7,
    )  # fmt: skip
    assert (read["lockstep.read"], read["lockstep.as_confirmed"]) == (7, True)


def test_each_of_many_orders_that_become_one_push_leads_to_its_read_back(
    followed: Followed,
) -> None:
    for number in range(3):
        followed.order(f"w-{number}")
    followed.book()
    followed.compute()
    for number in range(3, 5):
        followed.order(f"w-{number}")
        followed.book()
        followed.compute()
    followed.show_and_look()

    assert len(followed.spans("push")) == len(followed.spans("read back")) == 1
    assert [len(span.links) for span in followed.spans("allocate")] == [2, 0, 0]
    assert len(followed.spans("push")[0].links) == 2
    begun = followed.spans("receive")
    assert len(begun) == 5
    assert all(followed.reached_from(one)[-1] == "read back" for one in begun)


class Undone(Exception):
    """Somebody thinks better of it."""


def test_what_is_rolled_back_was_never_there(followed: Followed) -> None:
    followed.order("w-1")
    followed.book()
    engine, now = followed.house.database.engine, followed.house.rig.now()
    with suppress(Undone), transaction(engine) as connection:
        followed.traces.allocate(connection, ["SKU-A"], [], now)
        raise Undone
    before = followed.spans("allocate")

    followed.compute()

    assert (len(before), len(followed.spans("allocate"))) == (0, 1)


def test_a_number_that_is_swallowed_ends_its_trace_as_not_shown(followed: Followed) -> None:
    followed.house.rig.do("fault", kind="swallow", sku="SKU-A")
    followed.order("w-1", units=3)
    followed.book()
    followed.compute()
    followed.show_and_look()

    (read,) = followed.spans("read back")
    assert (read.attributes or {})["lockstep.as_confirmed"] is False


def test_a_sender_that_is_traced_itself_is_gone_on_with(followed: Followed) -> None:
    theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    followed.order("w-1", traceparent=theirs)

    (span,) = followed.spans("receive")
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}" == theirs.split("-")[1]


def test_a_delivery_through_celery_begins_a_trace(followed: Followed) -> None:
    fact = '{"kind": "unheard of"}'

    engine, now = followed.house.database.engine, followed.house.rig.now()
    receive.receive(engine, "wms", "fact", "x", {}, fact, now=now, traces=followed.traces)
    followed.book()

    assert [span.name for span in followed.told.get_finished_spans()] == ["receive", "book"]
    assert (followed.spans("book")[0].attributes or {})["lockstep.state"] == "rejected"


def test_what_is_not_sampled_leaves_no_row_behind(
    rig: ShopifyRig, database: Database, told: InMemorySpanExporter
) -> None:
    house = a_shop_house(rig, database)
    traces, engine = tracing(told, sampler=ALWAYS_OFF), connect(database.app_url)
    with a_door(the_settings(), engine, database, traces=traces) as door:
        followed = Followed(house, door, traces, told)
        followed.order("w-1")
    engine.dispose()
    followed.book()
    followed.compute()

    assert told.get_finished_spans() == ()
    assert house.rows("SELECT count(*) FROM trail") == [(0,)]
    assert house.rows("SELECT headers ? 'traceparent' FROM inbox WHERE source = 'wms'")[-1] == (
        False,
    )


class Collector(BaseHTTPRequestHandler):
    """Takes what a process sends it."""

    taken: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is said of it."""


def test_a_process_sends_its_spans_where_the_usual_variable_says() -> None:
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        collector = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "OTEL_SERVICE_NAME": "the-relay",
            "LOCKSTEP_TRACES": "1",
        }
        _python(
            """
from workers.settings import settings
from workers.wiring import Wiring
wiring = Wiring(settings())
with wiring.traces.receiving([]):
    pass
wiring.close()
""",
            collector,
        )
        server.shutdown()

    ((path, body),) = Collector.taken
    assert path == "/v1/traces"
    assert all(word in body for word in (b"receive", b"the-relay", b"deployment.environment.name"))


def test_who_does_not_trace_needs_nothing_of_it() -> None:
    found = _python(
        """
import sys
sys.modules["opentelemetry"] = None
import console.relay, workers.tasks
from workers.settings import Settings
from workers.wiring import NotSetUp, Wiring
assert Wiring(Settings()).traces is None
try:
    Wiring(Settings(traces=True)).traces
except NotSetUp as missing:
    print(missing)
""",
        {},
    )

    assert "pip install 'lockstep[otel]'" in found


def _python(program: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"PATH": "/usr/bin:/bin"}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
