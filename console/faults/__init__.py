"""Faults of real processes: a running house under load, one fault after another, judged by what was accepted."""
