"""What a wholesale partner's buyers do in a schedule. What they get is what our answers say, so that is the diary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from console.chaos.account import Account
from console.chaos.house import House
from console.chaos.partner import promised


def purchase(house: House, partner: str, sku: str, units: int) -> None:
    """An order comes by an 850."""
    house.accounts[partner].do("purchase_order", lines=[{"sku": sku, "units": units}])


def change_purchase(house: House, partner: str, nth: int, units: int) -> None:
    """Another number of units is wanted, by an 860; none deletes the line."""
    account = house.accounts[partner]
    number = _order(account, nth)
    if number:
        account.do("change_order", order=number, lines=[{"line": "1", "units": units}])


def cancel_purchase(house: House, partner: str, nth: int, by: str) -> None:
    """An order is cancelled by an 860, or by an 850 that says so."""
    account = house.accounts[partner]
    number = _order(account, nth)
    if number:
        account.do("cancel_order", order=number, by=by)


def purchase_again(house: House, partner: str, nth: int) -> None:
    """The file of an order comes a second time, under another name."""
    account = house.accounts[partner]
    number = _order(account, nth)
    if number:
        account.do("duplicate", of=number)


#: Verb of a step -> what is done.
TRADE: Final[Mapping[str, Callable[..., None]]] = {
    each.__name__: each for each in (purchase, change_purchase, cancel_purchase, purchase_again)
}


def committed(house: House) -> Counter[tuple[str, str, str]]:
    """(SKU, location, state) -> units that all partners' orders move there, as the partners were told."""
    moved: Counter[tuple[str, str, str]] = Counter()
    for name in house.cast.partners:
        for (sku, place), units in promised(house.accounts[name]).items():
            moved[sku, place, "available"] -= units
            moved[sku, place, "committed"] += units
    return moved


def _order(account: Account, nth: int) -> str:
    numbers: list[Any] = list(account.do("state")["orders"])
    return str(numbers[nth % len(numbers)]) if numbers else ""
