"""A house to try things in: opened like the demo's, left up without its day, gone when it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from console.cli.local import dashboard, wait_while_up
from console.demo import day, goods, stretch
from console.demo.evidence import Notes
from console.demo.house import House
from console.demo.screen import Screen
from console.demo.shop import ShopSays
from console.local.stack import Stack
from workers.settings import Settings

#: Long enough to watch a drift stand for a while, short enough to see one found.
WINDOW_S: Final = 60
_BUYERS: Final = 1_000_000
#: In every lane, so that one order of it moves five numbers.
_OFFERED: Final = goods.EVERYWHERE[0]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asked for.

    rate    orders a second that buyers place by themselves
    """

    rate: float = 0.0
    seed: int = 1


@contextmanager
def opened(settings: Settings, screen: Screen, *, window_s: int = WINDOW_S) -> Iterator[House]:
    """The house in the settings' home, open for business; it is gone with the block.

    raises    LocalError when the home is somebody's, or something does not start, after the ends of the logs
    """
    # Commands in other terminals have the name of their own settings.
    own = day.own_settings(settings).model_copy(
        update={"reconcile_s": window_s, "env": settings.env}
    )
    with Stack(own, ephemeral=True, in_its_home=True) as stack, ExitStack() as ending:
        with day.ends_of_logs(screen, stack):
            day.start(screen, stack, dashboard=True)
            house = House(stack)
            ending.callback(house.close)
            day.open_house(screen, house, Notes())
        yield house


def run(settings: Settings, wishes: Wishes) -> None:
    """Open the house, say where everything is, and keep it up until Ctrl-C; raises what `opened` raises."""
    screen = Screen()
    with opened(settings, screen) as house:
        for line in _told(house.stack):
            screen.plain(line)
        sys.stdout.flush()
        buyers = buying(house, wishes)
        wait_while_up(house.stack, lambda: next(buyers))


def _told(stack: Stack) -> list[str]:
    """What to do now, in its order, and what else is there."""
    opened, logged_in = dashboard(stack)
    told = stack.settings
    return [
        "",
        f"Open for business: {len(goods.SKUS)} SKUs, {len(goods.PLAYED)} channels."
        " Ctrl-C ends it, and nothing of it stays.",
        "",
        f"1  {opened}",
        f"   {logged_in.strip()}",
        "2  buy something, in another terminal in this folder:",
        f"     {_command(stack.home)} sim order {_OFFERED} --units 2",
        f"3  watch it: {stack.dashboard_url}/sku/{_OFFERED}",
        "",
        f"Flower  {stack.flower_url}  user {told.flower_user}  password {told.flower_password.get_secret_value()}",
        f"relay   {stack.relay_url}  POST /events with Bearer {told.relay_token.get_secret_value()}",
        f"home    {stack.home}  (logs in logs/, accounts with their control planes in simulators.json)",
    ]


def _command(home: Path) -> str:
    """How to call us from the folder in which we were started."""
    beside, here = Path(sys.executable).with_name("lockstep"), Path.cwd()
    command = str(beside.relative_to(here)) if beside.is_relative_to(here) else "lockstep"
    return command if home == here / ".lockstep" else f"LOCKSTEP_HOME='{home}' {command}"


def buying(house: House, wishes: Wishes) -> Iterator[None]:
    """At each step, the orders that buyers have placed meanwhile."""
    baskets = stretch.baskets(list(house.shops), _BUYERS, wishes.seed)
    begun_s, placed = time.monotonic(), 0
    while True:
        for _ in range(int((time.monotonic() - begun_s) * wishes.rate) - placed):
            shop, lines = next(baskets)
            placed += 1
            # Sold out is an answer like any other.
            with suppress(ShopSays):
                house.shops[shop].order(lines)
        yield
