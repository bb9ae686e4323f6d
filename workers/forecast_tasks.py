"""Tasks of the forecast, in a queue of their own: they compute for minutes, and nobody shall wait for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import structlog

from allocation.planning.forecast_store import AtWork
from ledger.db import transaction
from workers.app import app
from workers.flows import forecasting, planning
from workers.tasks import wiring
from workers.wiring import now

log = structlog.get_logger()

#: A task ends well before its time limit, and the next one goes on. One page, what all places teach, takes a minute.
_AT_ONCE: Final = timedelta(seconds=45)


@app.task
def look_at_forecast(**_: Any) -> None:
    """Look at levels that are due, and go on with a run, or begin the one of this night."""
    house = wiring()
    planning.look(house.engine, now())
    with transaction(house.engine) as connection:
        wanted = forecasting.is_due(connection, now(), house.settings.truth_hour)
    if wanted:
        run_forecast.apply_async()


@app.task(soft_time_limit=270, time_limit=300)
def run_forecast(**_: Any) -> None:
    """Go some pages on with a run of the forecast, and ring for the next ones."""
    house = wiring()
    try:
        ran = forecasting.run(house.engine, now, until=now() + _AT_ONCE)
    except AtWork:
        return
    if not ran.done:
        log.info("planning.forecast.went_on", run=ran.run, stage=ran.stage, skus=ran.skus)
        run_forecast.apply_async()
