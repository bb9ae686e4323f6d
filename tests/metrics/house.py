"""What a house tells, and how to make something happen in it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from console.metrics.exporter import Exporter
from tests.workers.shelf import House


def told(exporter: Exporter) -> dict[str, float]:
    """Every series with its value, such as `lockstep_push_due{channel="shop",priority="rise"}`."""
    return {
        sample.name
        + (
            "{" + ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items())) + "}"
            if sample.labels
            else ""
        ): sample.value
        for family in text_string_to_metric_families(exporter.page().decode())
        for sample in family.samples
    }


def execute(house: House, statement: str, **values: object) -> None:
    with house.engine.begin() as connection:
        connection.execute(text(statement), values)
