"""Wholesale EDI: ASC X12 in and out. `x12.py` and what stands on it are a protocol without I/O; see README.md."""
