"""The numbers of one scrape: looked up in the database, kept for a moment, and written in Prometheus' text form."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from allocation.document.reading import RuleFileError
from allocation.fit import LOOK_BACK
from console.metrics.counted import counted
from console.metrics.levels import levels
from console.metrics.limits import Held, buckets, headroom
from console.metrics.names import METRICS
from console.metrics.tallies import add_up
from console.metrics.types import Metric, Sample, Spread
from ledger import verify
from ledger.db import transaction
from workers.flows import fit
from workers.wiring import Wiring

log = structlog.get_logger(__name__)

#: Several Prometheus servers, or an impatient person, cost the database one look.
KEPT_S: Final = 5.0
FIT_EVERY: Final = timedelta(hours=1)
PROOF_EVERY: Final = timedelta(days=1)
_AS_ONE_MOMENT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


@dataclass
class Exporter:
    """What one process tells; its tables are the house's, so that any number of processes say the same.

    now        the clock;  monotonic  for how long a page is kept
    """

    wiring: Wiring
    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    _page: bytes = b""
    _page_at: float | None = None
    _slow: list[Sample] = field(default_factory=list)
    _proof: list[Sample] = field(default_factory=list)
    _fit_at: datetime | None = None
    _proof_at: datetime | None = None
    _one: threading.Lock = field(default_factory=threading.Lock)
    _other: threading.Lock = field(default_factory=threading.Lock)

    def page(self) -> bytes:
        """Everything in Prometheus' text form, at most `KEPT_S` old. Raises SQLAlchemyError, NotSetUp."""
        with self._one:
            at = self.monotonic()
            if self._page_at is None or at - self._page_at >= KEPT_S:
                self._page = text_of(self._samples())
                self._page_at = at
            return self._page

    def _samples(self) -> list[Sample | Spread]:
        begun = self.monotonic()
        now = self.now()
        with transaction(self.wiring.engine) as connection:
            add_up(connection, now)
        with transaction(self.wiring.engine) as connection:
            connection.execute(_AS_ONE_MOMENT)
            found: list[Sample | Spread] = [*levels(connection, now), *counted(connection)]
            held = self._buckets(connection)
        took = Sample("lockstep_exporter_read_seconds", (), self.monotonic() - begun)
        return [*found, took, *headroom(held), *self._slow, *self._proof]

    def _buckets(self, connection: Connection) -> Held:
        if not self.wiring.settings.redis_url:
            return {}
        prefix = f"lockstep:{self.wiring.settings.env}"
        return buckets(connection, self.wiring.redis, prefix)

    def look_slowly(self) -> None:
        """What takes seconds and changes in hours: after a scrape, never in one. Two at once do no harm."""
        if not self._other.acquire(blocking=False):
            return
        try:
            now = self.now()
            if self._fit_at is None or now - self._fit_at >= FIT_EVERY:
                self._fit_at = now
                self._slow = list(_fitting(self.wiring, now))
            if self._proof_at is None or now - self._proof_at >= PROOF_EVERY:
                self._proof_at = now
                self._proof = list(_proved(self.wiring, now))
        except (SQLAlchemyError, RuleFileError) as error:
            log.warning("metrics.look.failed", error=type(error).__name__)
        finally:
            self._other.release()


def _fitting(wiring: Wiring, now: datetime) -> Iterator[Sample]:
    for each in fit.look(wiring.engine, now=now, weeks=LOOK_BACK).fits:
        labels = (each.channel,)
        yield Sample("lockstep_allocation_starved_seconds", labels, 60 * each.starved_minutes)
        if each.effectiveness is not None:
            yield Sample("lockstep_allocation_effectiveness_ratio", labels, each.effectiveness)


def _proved(wiring: Wiring, now: datetime) -> Iterator[Sample]:
    proof = verify.verify(wiring.engine)
    if not proof.clean:
        first = proof.findings[0]
        log.error(
            "ledger.proof.failed", check=first.check, row=first.row, next="lockstep ledger verify"
        )
    yield Sample("lockstep_ledger_clean", (), float(proof.clean))
    yield Sample("lockstep_ledger_proof_timestamp_seconds", (), now.timestamp())


@dataclass(frozen=True, eq=False)
class _Found(Collector):
    samples: Iterable[Sample | Spread]

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily]:
        by_name: dict[str, list[Sample | Spread]] = {metric.name: [] for metric in METRICS}
        for sample in self.samples:
            by_name[sample.name].append(sample)
        for metric in METRICS:
            yield _family(metric, by_name[metric.name])


def _family(
    metric: Metric, samples: Iterable[Sample | Spread]
) -> GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily:
    if metric.kind == "histogram":
        spreads = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for each in samples:
            assert isinstance(each, Spread)
            bounds = [
                ("+Inf" if le == float("inf") else str(le), float(n)) for le, n in each.buckets
            ]
            spreads.add_metric(each.labels, bounds, each.total)
        return spreads
    of = GaugeMetricFamily if metric.kind == "gauge" else CounterMetricFamily
    family = of(metric.name, metric.help, labels=metric.labels)
    for each in samples:
        assert isinstance(each, Sample)
        family.add_metric(each.labels, each.value)
    return family


def text_of(samples: Iterable[Sample | Spread]) -> bytes:
    """Samples in Prometheus' text form, each metric with its help."""
    registry = CollectorRegistry()
    registry.register(_Found(list(samples)))
    return generate_latest(registry)
