"""The table of metrics in docs/observability.md: `python -m console.metrics.table` prints it."""

from __future__ import annotations

from console.metrics.names import METRICS
from console.metrics.types import Metric


def table() -> str:
    """Every metric as a row of Markdown, in the order in which they are to be looked at."""
    return "\n".join(
        (
            "| metric | kind | labels | what it says | first |",
            "| --- | --- | --- | --- | --- |",
            *map(_row, METRICS),
        )
    )


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    first = f"[{metric.first}](runbooks/{metric.first}.md)" if metric.first else ""
    cells = (f"`{metric.name}`", metric.kind, labels, metric.help, first)
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print(table())  # noqa: T201 -- what it is for
