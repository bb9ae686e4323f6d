"""Square as a seller's account: Catalog, Inventory, Orders and webhooks, in the eras before and after 2026-07-15."""

from channels.simulators.square.simulator import SquareSimulator

__all__ = ["SquareSimulator"]
