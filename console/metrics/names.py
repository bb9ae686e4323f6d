"""Every metric there is. Names and units follow Prometheus: seconds, ratios of 0 to 1, `_total` for what only rises."""

from __future__ import annotations

from typing import Final

from console.metrics.types import Metric

#: Upper bounds in seconds; 60 s is what an SLO is judged by.
FAST_S: Final = (1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
#: The same for repairs; 300 s is what their SLO is judged by.
SLOW_S: Final = (30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
BOUNDS_S: Final = {
    "lockstep_sync_seconds": FAST_S,
    "lockstep_capture_seconds": FAST_S,
    "lockstep_repair_seconds": SLOW_S,
}

_CHANNEL: Final = ("channel",)

_SYMPTOMS: Final = (
    Metric(
        "lockstep_sync_seconds",
        "histogram",
        ("channel", "direction"),
        "Time from the moment a number was due to the channel's confirmation; a rise may wait on purpose",
        "push-stuck",
    ),
    Metric(
        "lockstep_capture_seconds",
        "histogram",
        _CHANNEL,
        "Time from an order at the channel to its row in the ledger; imported history is left out",
        "capture-late",
    ),
    Metric(
        "lockstep_oversold_lines_total",
        "counter",
        _CHANNEL,
        "Order lines that were accepted and could not be kept",
        "oversold-line",
    ),
    Metric(
        "lockstep_oversold_cases",
        "gauge",
        _CHANNEL,
        "Oversold order lines that are not settled yet",
        "oversold-line",
    ),
    Metric(
        "lockstep_drifts_found_total",
        "counter",
        ("channel", "cause"),
        "Drifts found, by the cause each was given",
        "drift-open",
    ),
    Metric(
        "lockstep_drifts", "gauge", ("channel", "cause"), "Drifts that are open now", "drift-open"
    ),
    Metric(
        "lockstep_drift_exposure_unit_seconds_total",
        "counter",
        _CHANNEL,
        "Units shown too much, times the seconds for which they were",
        "drift-open",
    ),
    Metric(
        "lockstep_repair_seconds",
        "histogram",
        _CHANNEL,
        "Time from finding a drift to its end",
        "quarantine",
    ),
    Metric(
        "lockstep_drift_unknown_ratio",
        "gauge",
        _CHANNEL,
        "Part of the drifts of the last seven days whose cause is unknown; absent without drifts",
        "drift-open",
    ),
    Metric(
        "lockstep_halts",
        "gauge",
        ("channel", "state"),
        "SKUs whose sale is halted, by how far the halt is carried out",
        "halt-standing",
    ),
    Metric(
        "lockstep_halt_seconds_total",
        "counter",
        _CHANNEL,
        "Seconds for which SKUs were halted, all SKUs together",
        "halt-standing",
    ),
    Metric(
        "lockstep_pickup_lines_total",
        "counter",
        ("location",),
        "Order lines accepted at a store by a channel that is not its till",
        "count-variance",
    ),
    Metric(
        "lockstep_pickup_failed_picks_total",
        "counter",
        ("location",),
        "Picks at a store that found too little on the shelf",
        "count-variance",
    ),
    Metric(
        "lockstep_count_accuracy_ratio",
        "gauge",
        ("location", "tier"),
        "Counted places within tolerance / places counted of 13 weeks (IRA), recounts left out; absent without counts",
        "count-variance",
    ),
    Metric(
        "lockstep_shrinkage_units",
        "gauge",
        ("location", "reason"),
        "Units lost less units found in this quarter, as added up within the hour",
        "count-variance",
    ),
    Metric(
        "lockstep_shrinkage_cost",
        "gauge",
        ("location", "reason"),
        "What they cost, in the money of their worth; units without a known cost are left out",
        "count-variance",
    ),
    Metric(
        "lockstep_shrinkage_ratio",
        "gauge",
        ("location",),
        "That cost / net sales of the quarter at the location; absent without sales whose price is known",
        "count-variance",
    ),
    Metric(
        "lockstep_allocation_effectiveness_ratio",
        "gauge",
        _CHANNEL,
        "Sold / min(demand, pool) over the last full weeks, an estimate; looked at once an hour",
        "alloc-fit",
    ),
    Metric(
        "lockstep_allocation_starved_seconds",
        "gauge",
        _CHANNEL,
        "Seconds over the last full weeks for which SKUs showed 0 while the pool had some, all SKUs together",
        "alloc-fit",
    ),
    Metric(
        "lockstep_incidents",
        "gauge",
        ("rule", "channel", "severity"),
        "Incidents that are open now",
    ),
)

_WORK: Final = (
    Metric(
        "lockstep_inbox_oldest_seconds",
        "gauge",
        (),
        "Age of the oldest delivery that is to be booked, 0 when none waits",
        "inbox-stuck",
    ),
    Metric(
        "lockstep_inbox_deliveries",
        "gauge",
        ("state",),
        "Deliveries that are not booked",
        "inbox-parked",
    ),
    Metric(
        "lockstep_orders_gaps",
        "gauge",
        _CHANNEL,
        "Orders that the channel told and that are not booked",
        "inbox-parked",
    ),
    Metric(
        "lockstep_orders_gap_oldest_seconds",
        "gauge",
        _CHANNEL,
        "Age of the oldest of these; 0 without any",
        "inbox-parked",
    ),
    Metric(
        "lockstep_orders_complete_to_timestamp_seconds",
        "gauge",
        _CHANNEL,
        "Orders changed before this moment are in the inbox; absent for a channel that is not asked",
        "job-missed",
    ),
    Metric(
        "lockstep_allocation_due",
        "gauge",
        (),
        "SKUs whose numbers are to be computed again",
        "queue-silent",
    ),
    Metric(
        "lockstep_allocation_oldest_seconds",
        "gauge",
        (),
        "Age of the oldest of them, 0 when none waits",
        "queue-silent",
    ),
    Metric(
        "lockstep_push_oldest_seconds",
        "gauge",
        ("channel", "priority"),
        "Age of the oldest number that is to be shown, 0 when none waits; halted SKUs are left out",
        "push-stuck",
    ),
    Metric(
        "lockstep_push_due",
        "gauge",
        ("channel", "priority"),
        "Numbers that are to be shown; halted SKUs are left out",
        "push-stuck",
    ),
    Metric(
        "lockstep_push_parked",
        "gauge",
        _CHANNEL,
        "Numbers that the channel refused for good",
        "push-parked",
    ),
    Metric(
        "lockstep_failures",
        "gauge",
        ("channel", "class", "state"),
        "Failed work that somebody has to look at",
        "inbox-parked",
    ),
    Metric(
        "lockstep_failure_oldest_seconds",
        "gauge",
        ("class",),
        "Time since the oldest of it failed last, 0 when there is none",
        "inbox-parked",
    ),
    Metric(
        "lockstep_lag_seconds",
        "gauge",
        ("channel", "stage"),
        "Lag as last measured, which buffers are computed with",
        "capture-late",
    ),
    Metric(
        "lockstep_readback_rows_total",
        "counter",
        _CHANNEL,
        "Numbers read back by windows of reconciliation",
        "missed-window",
    ),
    Metric(
        "lockstep_readback_coverage_ratio",
        "gauge",
        _CHANNEL,
        "Part of the numbers that the newest finished window read back",
        "missed-window",
    ),
    Metric(
        "lockstep_runs",
        "gauge",
        ("job", "channel", "state"),
        "Windows of the last 24 hours",
        "job-missed",
    ),
    Metric(
        "lockstep_runs_overrun",
        "gauge",
        ("job", "channel"),
        "Windows of the last 24 hours that took longer than their time",
        "overrun-window",
    ),
    Metric(
        "lockstep_run_done_timestamp_seconds",
        "gauge",
        ("job", "channel"),
        "When the newest window that is done was finished; absent when none is of the last week",
        "missed-window",
    ),
    Metric(
        "lockstep_queue_heartbeat_timestamp_seconds",
        "gauge",
        ("queue",),
        "When a worker last took something from the queue",
        "queue-silent",
    ),
    Metric(
        "lockstep_clock_ahead_seconds",
        "gauge",
        (),
        "How far the machine whose clock is most off is ahead of the database's, 0 where none is off by five seconds",
        "clock-differs",
    ),
    Metric(
        "lockstep_queue_paused", "gauge", ("queue",), "1 while the queue is paused", "queue-silent"
    ),
    Metric(
        "lockstep_channel_paused",
        "gauge",
        _CHANNEL,
        "1 while the channel is paused",
        "channel-paused",
    ),
    Metric(
        "lockstep_channel_writes",
        "gauge",
        _CHANNEL,
        "1 when the channel may be written to: it has passed its certification",
        "channel-paused",
    ),
    Metric(
        "lockstep_rate_headroom_ratio",
        "gauge",
        ("channel", "limit"),
        "Part of the vendor's limit that is free; absent while Redis is away",
        "push-stuck",
    ),
    Metric(
        "lockstep_rate_tokens",
        "gauge",
        ("channel", "limit"),
        "Calls or points that are free now, as the vendor counts; below 0 when more is on its way than is left",
        "push-stuck",
    ),
    Metric(
        "lockstep_rate_bucket_tokens",
        "gauge",
        ("channel", "limit"),
        "Calls or points that are free when nothing was called for a while",
        "push-stuck",
    ),
    Metric(
        "lockstep_rate_closed_seconds",
        "gauge",
        ("channel", "limit"),
        "Seconds for which the vendor still asks for silence",
        "push-stuck",
    ),
)

_LEDGER: Final = (
    Metric(
        "lockstep_ledger_clean",
        "gauge",
        (),
        "1 when the last proof of the whole ledger found nothing, 0 when it did; absent before the first",
        "inbox-stuck",
    ),
    Metric(
        "lockstep_ledger_proof_timestamp_seconds",
        "gauge",
        (),
        "When the ledger was last proved by this exporter, once a day",
        "inbox-stuck",
    ),
    Metric(
        "lockstep_ledger_unsealed_events",
        "gauge",
        (),
        "Events after the newest seal",
        "queue-silent",
    ),
    Metric(
        "lockstep_ledger_seal_timestamp_seconds",
        "gauge",
        (),
        "When the newest seal was set; absent before the first",
        "queue-silent",
    ),
    Metric(
        "lockstep_exporter_tally_timestamp_seconds",
        "gauge",
        (),
        "What happened up to here is in the counters and histograms",
    ),
    Metric(
        "lockstep_exporter_read_seconds",
        "gauge",
        (),
        "How long the last look into the database took",
    ),
)

#: What customers feel first, then what work waits, then the book and the exporter itself.
METRICS: Final[tuple[Metric, ...]] = (*_SYMPTOMS, *_WORK, *_LEDGER)
BY_NAME: Final = {metric.name: metric for metric in METRICS}
#: Every name that an expression may use.
SERIES: Final = frozenset(series for metric in METRICS for series in metric.series)
