"""Rules of Prometheus and boards of Grafana: every name they use is exported, every alert has its page."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.metrics.names import BOUNDS_S, BY_NAME, SERIES
from console.metrics.table import table

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "ops" / "prometheus"
BOARDS = sorted((ROOT / "ops" / "grafana" / "dashboards").glob("*.json"))
SPEEDS = {"Fast": 14.4, "Steady": 6.0, "Slow": 1.0}
#: Labels that Prometheus or a recording rule adds.
ADDED = {"le", "slo"}


def rules_of(name: str) -> list[dict[str, Any]]:
    """The rules of a file, in order."""
    groups = yaml.safe_load((PROMETHEUS / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


RECORDED = {rule["record"] for rule in rules_of("lockstep.rules.yml")}
ALERTS = rules_of("lockstep.alerts.yml")


def unknown_in(expression: str) -> set[str]:
    """Names of ours that nothing exports or records, and labels that the metric before them does not have."""
    wrong = set(re.findall(r"\blockstep[_:][\w:]+", expression)) - SERIES - RECORDED
    for name, selector in re.findall(r"\b(lockstep_\w+)\{([^}]*)\}", expression):
        metric = next((m for m in BY_NAME.values() if name in m.series), None)
        labels = set(re.findall(r"(\w+)\s*[=!]~?\s*\"", selector))
        wrong |= labels - ADDED - set(metric.labels if metric else ())
    return wrong


@pytest.mark.parametrize("rule", [*rules_of("lockstep.rules.yml"), *ALERTS], ids=str)
def test_an_expression_names_what_there_is(rule: dict[str, Any]) -> None:
    assert unknown_in(rule["expr"]) == set()


def test_a_bucket_that_is_asked_for_is_one_that_is_kept() -> None:
    asked = re.findall(
        r"(lockstep_\w+_seconds)_bucket\{[^}]*le=\"([^\"]+)\"",
        "".join(rule["expr"] for rule in rules_of("lockstep.rules.yml")),
    )

    assert asked
    assert all(float(le) in BOUNDS_S[name] and le == str(float(le)) for name, le in asked)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_who_is_called_what_it_means_and_where_to_read_on(
    alert: dict[str, Any],
) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert set(alert["annotations"]) == {"summary", "impact", "runbook"}
    assert (ROOT / alert["annotations"]["runbook"]).is_file()
    assert alert["annotations"]["runbook"].startswith("docs/runbooks/")


def test_no_alert_is_told_twice_under_one_name() -> None:
    names = [alert["alert"] for alert in ALERTS]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("slo", ["sync", "capture", "oversell", "drift", "repair", "pickup"])
def test_a_budget_is_watched_over_a_long_window_and_a_short_one(slo: str) -> None:
    burning = {
        alert["alert"].rpartition("Burns")[2]: alert["expr"]
        for alert in ALERTS
        if alert["alert"].startswith(f"Lockstep{slo.capitalize()}Burns")
    }
    factors = {
        speed: set(map(float, re.findall(r"rate\w+\{[^}]*\} > ([\d.]+)", expression)))
        for speed, expression in burning.items()
    }
    windows = {
        speed: re.findall(r"lockstep:slo_burn:rate(\w+)\{", expression)
        for speed, expression in burning.items()
    }

    assert "Slow" in burning
    assert factors == {speed: {SPEEDS[speed]} for speed in burning}
    assert all(
        seconds(long) >= 2 * seconds(short)
        for long, short in windows.values()
    )  # fmt: skip


def seconds(window: str) -> int:
    return int(window[:-1]) * {"m": 60, "h": 3600, "d": 86400}[window[-1]]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_board_asks_for_what_there_is_and_says_what_it_shows(board: Path) -> None:
    read = json.loads(board.read_text())
    panels = [panel for panel in read["panels"] if panel["type"] != "row"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = [
        re.sub(r"label_values\(([^,)]+).*", r"\1", v["query"]) for v in read["templating"]["list"]
    ]

    assert {name for each in (*expressions, *asked) for name in unknown_in(each)} == set()
    assert all(panel["title"] and panel["description"] for panel in panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"lockstep"}
    assert len({panel["id"] for panel in read["panels"]}) == len(read["panels"])
    assert not overlapping([panel["gridPos"] for panel in read["panels"]])


def overlapping(places: list[dict[str, int]]) -> list[Any]:
    """Pairs of panels that lie on one another."""
    return [
        (a, b)
        for a, b in itertools.combinations(places, 2)
        if a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    ]


def test_symptoms_stand_above_causes() -> None:
    rows = {
        board.stem: [p["title"] for p in json.loads(board.read_text())["panels"] if p["type"] == "row"]
        for board in BOARDS
    }  # fmt: skip

    assert rows["lockstep-symptoms"] == ["Symptoms", "Duration", "Errors", "Rate"]
    assert "What waits" in rows["lockstep-causes"]


def test_every_metric_is_on_a_board_or_in_a_rule() -> None:
    said = "".join(path.read_text() for path in (*BOARDS, *PROMETHEUS.glob("*.yml")))

    unused = {name for name in BY_NAME if name not in said}

    assert unused == set()


def test_the_scraper_asks_the_services_there_are() -> None:
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    hosts = {
        target.split(":")[0]
        for job in jobs
        for config in job["static_configs"]
        for target in config["targets"]
    }

    assert hosts - {"localhost"} <= set(services)
    assert 'up{job="lockstep"}' in (PROMETHEUS / "lockstep.alerts.yml").read_text()
    assert "lockstep" in {job["job_name"] for job in jobs}


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not there"
)
def test_promtool_finds_nothing_wrong_and_alerts_fire_as_meant() -> None:
    checks = (
        ["check", "rules", "lockstep.rules.yml", "lockstep.alerts.yml"],
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["test", "rules", "lockstep.test.yml"],
    )

    answers = [
        subprocess.run(["promtool", *check], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        for check in checks
    ]  # fmt: skip

    assert [answer.stderr for answer in answers if answer.returncode] == []


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    assert table() in (ROOT / "docs" / "observability.md").read_text()


def test_every_page_that_a_metric_or_the_documentation_leads_to_exists() -> None:
    led = set(re.findall(r"\]\(([\w/.-]+)\)", (ROOT / "docs" / "observability.md").read_text()))

    assert [path for path in led if not (ROOT / "docs" / path).is_file()] == []
