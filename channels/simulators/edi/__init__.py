"""A wholesale trading partner: sends orders into a mailbox and judges what comes back."""

from channels.simulators.edi.simulator import EdiSimulator

__all__ = ["EdiSimulator"]
