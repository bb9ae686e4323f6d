"""Amazon's Selling Partner API: one seller's account behind it, written from the vendor's published models."""

from channels.simulators.amazon.simulator import AmazonSimulator

__all__ = ["AmazonSimulator"]
