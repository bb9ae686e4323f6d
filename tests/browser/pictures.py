"""The pictures of the README: a played house with orders coming in, as a browser shows it. `make pictures` runs this.

python -m tests.browser.pictures docs/pictures
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Page, sync_playwright

from console.cli.local import dashboard
from console.demo import goods, play, rubbish, trouble
from console.demo.evidence import Notes
from console.demo.house import House
from console.demo.screen import Screen
from console.demo.travel import buy
from tests.browser.chromium import FOUND, QUIET
from tests.browser.png import smaller
from workers.settings import Settings

#: Pixels of every picture, and bytes that none may exceed.
WIDTH: Final = 1280
BYTES: Final = 150_000
#: Orders a second; and how long they come before the first picture.
_RATE: Final = 2.0
_BUSY_S: Final = 45
_WINDOW_S: Final = 20
_FOUND_LIMIT_S: Final = 120.0
_SKU: Final = goods.EVERYWHERE[0]
#: Large enough for steps that are seen in a chart.
_UNITS: Final = (4, 9, 6, 2)


@dataclass(frozen=True, slots=True)
class Picture:
    """A page worth seeing.

    top    what its upper edge is at, as CSS says it; the top of the page when empty
    """

    name: str
    address: str
    height: int
    scheme: Literal["light", "dark"] = "light"
    top: str = ""


PICTURES: Final = (
    Picture("now", "/", 900),
    Picture("now-dark", "/", 900, "dark"),
    Picture("sku", f"/sku/{_SKU}?hours=1", 900),
    Picture("sku-dark", f"/sku/{_SKU}?hours=1", 900, "dark"),
    Picture("timeline", f"/sku/{_SKU}?hours=1", 620, top="#happened"),
    Picture("explain", f"/explain?sku={_SKU}&channel=outlet&location={goods.HERE}", 760),
    Picture("drift", "/drift?all=1", 520),
    Picture("failed", "/failed", 420),
)


def take(folder: Path) -> list[Path]:
    """Open a house, let things happen in it, and write every picture; the files.

    raises    LocalError when the house does not open, RuntimeError without a browser
    """
    if FOUND is None:
        raise RuntimeError("no Chromium on this machine (Debian: apt-get install chromium)")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lockstep-pictures-") as scratch:
        # PostgreSQL has a user of its own where we are root.
        Path(scratch).chmod(0o711)
        home = Settings(home=Path(scratch) / "home", relay_port=0, flower_port=0, api_port=0)
        with play.opened(home, Screen(), window_s=_WINDOW_S) as house:
            token = dashboard(house.stack)[1].split()[3]
            _live(house)
            with _looking(house.stack.dashboard_url, token) as page:
                return [_taken(page, house.stack.dashboard_url, one, folder) for one in PICTURES]


def _live(house: House) -> None:
    """Orders in every lane for a while; meanwhile a few things go wrong, and are found."""
    notes = Notes()
    # Whoever writes an older number later must have one to write.
    house.tell(house.fact("write_off", goods.OVERWRITTEN, goods.HERE, units=5, reason="moths"))
    buyers = play.buying(house, play.Wishes(rate=_RATE))
    accounts = [house.stack.simulators[name] for name in (*goods.SHOPS, goods.AMAZON)]
    begun_s, bought = time.monotonic(), 0
    while time.monotonic() < begun_s + _BUSY_S:
        next(buyers)
        if time.monotonic() > begun_s + 3 * bought:
            buy(accounts[bought % len(accounts)], _SKU, _UNITS[bought % len(_UNITS)])
            bought += 1
        time.sleep(0.2)
    rubbish.send_rubbish(house, notes)
    trouble.swallow(house, notes)
    trouble.delist(house, notes)
    trouble.drift(house, notes)
    _deaf(house)
    house.until(
        "a window found what drifted, and halted one SKU",
        lambda: house.one("SELECT count(*) FROM halt WHERE state = 'set'") > 0,
        limit_s=_FOUND_LIMIT_S,
    )
    while time.monotonic() < begun_s + _BUSY_S + 2 * _WINDOW_S:
        next(buyers)
        time.sleep(0.2)


def _deaf(house: House) -> None:
    """The outlet says yes to numbers of two SKUs and keeps its own: they drift until somebody sees to it."""
    for sku in goods.STORM[:2]:
        house.shops["outlet"].ask("fault", kind="swallow", sku=sku, rate=1.0)
        house.tell(house.fact("write_off", sku, goods.HERE, units=9, reason="samples"))


@contextmanager
def _looking(url: str, token: str) -> Iterator[Page]:
    """A page of a browser that is logged in."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=FOUND, args=list(QUIET))
        page = browser.new_page(reduced_motion="reduce")
        page.goto(f"{url}/login")
        page.fill("input[name=token]", token)
        page.click("main button")
        page.wait_for_url(f"{url}/")
        yield page
        browser.close()


def _taken(page: Page, url: str, picture: Picture, folder: Path) -> Path:
    page.set_viewport_size({"width": WIDTH, "height": picture.height})
    page.emulate_media(color_scheme=picture.scheme)
    page.goto(f"{url}{picture.address}")
    if page.locator("a.charted[data-first]").count():
        page.wait_for_selector("#chart canvas")
    above = 0.0
    if picture.top:
        box = page.locator(picture.top).first.bounding_box()
        above = box["y"] - 12 if box else 0.0
    shot = page.screenshot(
        full_page=True,
        animations="disabled",
        clip={"x": 0, "y": above, "width": WIDTH, "height": picture.height},
    )
    file = folder / f"{picture.name}.png"
    draft = smaller(shot)
    if len(draft) > BYTES:
        raise RuntimeError(f"{file.name} has {len(draft)} bytes, more than {BYTES}")
    file.write_bytes(draft)
    return file


if __name__ == "__main__":
    for written in take(Path(sys.argv[1])):
        print(f"{written}  {written.stat().st_size} bytes")  # noqa: T201 -- a program's own output
