"""The day, from the first process to the verdict."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from pydantic import SecretStr

from allocation.types import Rules
from console.demo import (
    certifying,
    goods,
    lanes_day,
    lanes_opening,
    opening,
    report,
    rubbish,
    scenes,
    stretch,
    trouble,
)
from console.demo.checks import judge
from console.demo.evidence import Notes
from console.demo.gather import gather
from console.demo.house import House, now
from console.demo.screen import Screen
from console.local.errors import LocalError
from console.local.stack import Stack
from workers.settings import Settings

#: Fifteen minutes are ten seconds here; a dead worker is given up, and a late order waited for, sooner in proportion.
WINDOW_S = 10
LEASE_S = 10.0
LIMIT_S = 5.0
_REST_LIMIT_S = 150.0
_LOG_LINES = 25
#: Orders of the rough stretch, for each of the busy one.
_ROUGH, _ROUGH_AT_LEAST = 0.4, 20


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asked for.

    orders, rate    in the busy stretch, and a second
    keep            leave everything up after the day
    json_file       where the outcome is written
    """

    orders: int = 200
    rate: float = 20.0
    seed: int = 1
    keep: bool = False
    json_file: Path | None = None


def run(settings: Settings, wishes: Wishes) -> bool:
    """The whole demo; whether every check passed.

    raises    LocalError when something does not start or does not happen, after printing the ends of the logs
    """
    screen = Screen()
    with ExitStack() as ending:
        try:
            stack = ending.enter_context(Stack(own_settings(settings), ephemeral=True))
            with ends_of_logs(screen, stack):
                passed = _day(screen, stack, wishes)
            if not passed:
                print_ends(screen, stack)
            if wishes.keep:
                _keep(screen, stack)
        except KeyboardInterrupt:
            screen.line("interrupted; ending every process", "yellow")
            ending.close()
            raise SystemExit(130) from None
        begun_s = screen.passed_s
        ending.close()
        screen.line(f"every process ended ({screen.passed_s - begun_s:.1f} s)")
    word, style = ("PASS", "bold green") if passed else ("FAIL", "bold red")
    screen.plain(word, style)
    return passed


def own_settings(given: Settings) -> Settings:
    """Our own servers, whatever the settings name: the demo touches nobody's database."""
    return given.model_copy(
        update={
            "database_url": "",
            "database_admin_url": "",
            "redis_url": "",
            "env": "demo",
            "channels": tuple(goods.PLAYED),
            "channel_secrets": SecretStr("{}"),
            "channel_secrets_file": None,
            "relay_token": SecretStr(secrets.token_urlsafe(16)),
            "reconcile_s": WINDOW_S,
            "push_lease_s": LEASE_S,
            "push_limit_s": LIMIT_S,
            "log_level": "INFO",
        }
    )


def _day(screen: Screen, stack: Stack, wishes: Wishes) -> bool:
    start(screen, stack)
    house, notes = House(stack), Notes()
    try:
        rules = open_house(screen, house, notes)
        _busy(screen, house, notes, wishes)
        _ordinary(screen, house, notes)
        with screen.step("settle") as seen:
            seen += [lanes_day.told_twice(house, notes), _rest(house)]
            seen += [lanes_day.lanes_show(house), _rest(house)]
        seen_all = gather(house, notes)
    finally:
        house.close()
    checks = judge(seen_all)
    outcome = report.outcome(seen_all, rules, checks, stack.settings, screen.passed_s)
    report.tell(screen, seen_all, checks, outcome)
    if wishes.json_file is not None:
        report.write(wishes.json_file, outcome)
    return all(check.passed for check in checks)


def start(screen: Screen, stack: Stack, *, dashboard: bool = False) -> None:
    """Servers, accounts, schema and processes."""
    with screen.step("PostgreSQL, Valkey, five played accounts"):
        stack.start_servers(goods.PLAYED)
    with screen.step("schema"):
        stack.migrate()
    with screen.step("relay, two workers, beat, Flower") as seen:
        stack.start_processes(dashboard=dashboard)
        seen.append(f"relay {stack.relay_url}, Flower {stack.flower_url}")


def open_house(screen: Screen, house: House, notes: Notes) -> Rules:
    """Goods, stock, rules, listings, certificates, until every place shows its first number."""
    with screen.step("catalogue") as seen:
        seen += [opening.list_goods(house), opening.open_book(house)]
    with screen.step("channels") as seen:
        said, rules = opening.apply_rules(house)
        seen += [said, opening.bind(house), opening.subscribe(house)]
        seen.append(lanes_opening.baseline(house))
    with screen.step("certificates") as seen:
        begun = now()
        seen.append(certifying.certify_all(house))
        notes.certifying = (begun, now())
    with screen.step("first numbers") as seen:
        seen.append(opening.show(house))
    return rules


def _busy(screen: Screen, house: House, notes: Notes, wishes: Wishes) -> None:
    with screen.step(f"busy stretch at {wishes.rate:g} orders/s") as seen:
        stretch.misbehave(house, notes, wishes.seed)
        seen.append(
            stretch.busy(house, notes, orders=wishes.orders, rate=wishes.rate, seed=wishes.seed)
        )
    with screen.step("rough stretch") as seen:
        orders = max(_ROUGH_AT_LEAST, int(wishes.orders * _ROUGH))
        seen.append(stretch.rough(house, notes, orders=orders, rate=wishes.rate, seed=wishes.seed))
        stretch.behave(house, notes)


def _ordinary(screen: Screen, house: House, notes: Notes) -> None:
    with screen.step("second thoughts") as seen:
        seen.append(scenes.second_thoughts(house, notes))
        seen += [scenes.goods_in_and_out(house), scenes.till_sale(house)]
    with screen.step("rubbish") as seen:
        seen += [rubbish.send_rubbish(house, notes), rubbish.mend(house, notes)]
    with screen.step("trouble at the shops") as seen:
        trouble.swallow(house, notes)
        trouble.delist(house, notes)
        trouble.storm(house, notes)
        begun = trouble.drift(house, notes)
        seen.append(trouble.troubles_over(house))
    with screen.step("sold out") as seen:
        seen.append(scenes.last_one(house, notes))
    with screen.step("drift") as seen:
        seen.append(trouble.halted_and_lifted(house, notes, begun))
        seen += [trouble.drifts_over(house, notes), trouble.ring_again(house, notes)]
    with screen.step("Amazon") as seen:
        seen += [lanes_day.amazon_orders(house, notes), lanes_day.amazon_trouble(house, notes)]
        seen.append(lanes_day.shipped_by_amazon(house, notes))
    with screen.step("tills") as seen:
        seen.append(lanes_day.till_day(house, notes))
    with screen.step("wholesale") as seen:
        seen.append(lanes_day.wholesale(house, notes))
    with screen.step("Flower") as seen:
        notes.flower = _ask_flower(house)
        seen.append(f"{notes.flower[0]} without its password, {notes.flower[1]} with it")


def _ask_flower(house: House) -> tuple[int, int]:
    """Status of Flower's list of workers without and with the password."""
    told = house.stack.settings
    url = f"{house.stack.flower_url}/workers"
    login = (told.flower_user, told.flower_password.get_secret_value())
    return (
        requests.get(url, timeout=10).status_code,
        requests.get(url, timeout=10, auth=login).status_code,
    )


_RESTLESS = """
    SELECT (SELECT count(*) FROM inbox WHERE state IN ('pending', 'waiting')) AS inbox,
           (SELECT count(*) FROM due) AS due,
           (SELECT count(*) FROM push_due WHERE NOT parked) AS pushes,
           (SELECT count(*) FROM shown WHERE verify_at IS NOT NULL) AS unverified,
           (SELECT count(*) FROM halt WHERE state <> 'lifted') AS halts
"""


def _rest(house: House) -> str:
    """Wait until nobody has anything left to do."""

    def at_rest() -> bool:
        desks = (*house.shops.values(), house.amazon, house.till)
        waiting = sum(desk.ask("state", sku=goods.LAST)["deliveries_waiting"] for desk in desks)
        return waiting == 0 and not any(house.rows(_RESTLESS)[0].values())

    try:
        house.until("nothing waits any more", at_rest, limit_s=_REST_LIMIT_S, poll_s=0.3)
    except LocalError:
        # The checks say by name what still waits.
        return f"still not at rest after {_REST_LIMIT_S:g} s: {house.rows(_RESTLESS)[0]}"
    return "nothing waits any more"


@contextmanager
def ends_of_logs(screen: Screen, stack: Stack) -> Iterator[None]:
    """When the day breaks off, what the processes said last; the logs go with the home."""
    try:
        yield
    except Exception:
        print_ends(screen, stack)
        raise


def print_ends(screen: Screen, stack: Stack) -> None:
    """The last lines of every log."""
    for log in sorted((stack.home / "logs").glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        screen.plain(f"--- {log.name}")
        for line in lines:
            screen.plain(f"    {line[:240]}")


def _keep(screen: Screen, stack: Stack) -> None:
    from console.cli.local import addresses, dashboard, wait_while_up

    screen.plain("kept up; Ctrl-C ends it", "bold")
    for line in [*dashboard(stack), *addresses(stack)]:
        screen.plain(f"  {line}")
    screen.plain(
        f"  buy: LOCKSTEP_HOME={stack.home} lockstep sim order {goods.EVERYWHERE[-1]} --units 2"
    )
    try:
        wait_while_up(stack)
    except KeyboardInterrupt:
        sys.stdout.flush()
