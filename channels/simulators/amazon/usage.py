"""Usage plans: one token bucket per operation, refilled by the simulated clock."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from channels.simulators.amazon.models import Operation


@dataclass(slots=True)
class _Bucket:
    rate_per_s: float
    burst: float
    tokens: float
    at: datetime


class UsagePlans:
    """The buckets of one application and one selling partner; safe to use from several threads.

    A bucket starts full and holds at most its burst. Plans other than the models' defaults are set with `change`.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}
        self._changed: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, operation: Operation, now: datetime) -> bool:
        """Spend one token; False when there is none."""
        with self._lock:
            bucket = self._bucket(operation, now)
            passed_s = max((now - bucket.at).total_seconds(), 0.0)
            bucket.tokens = min(bucket.burst, bucket.tokens + passed_s * bucket.rate_per_s)
            bucket.at = now
            if bucket.tokens < 1:
                return False
            bucket.tokens -= 1
            return True

    def rate(self, operation: Operation) -> float:
        """Tokens per second, as `x-amzn-RateLimit-Limit` tells it."""
        return self._changed.get(operation.key, (operation.rate_per_s, 0.0))[0]

    def change(self, operation: Operation, rate_per_s: float, burst: float) -> None:
        """Another plan for one operation, with a full bucket."""
        with self._lock:
            self._changed[operation.key] = (rate_per_s, burst)
            self._buckets.pop(operation.key, None)

    def reset(self) -> None:
        """Full buckets and the models' plans again."""
        with self._lock:
            self._buckets.clear()
            self._changed.clear()

    def _bucket(self, operation: Operation, now: datetime) -> _Bucket:
        bucket = self._buckets.get(operation.key)
        if bucket is None:
            plan = (operation.rate_per_s, float(operation.burst))
            rate, burst = self._changed.get(operation.key, plan)
            bucket = self._buckets[operation.key] = _Bucket(rate, burst, burst, now)
        return bucket
