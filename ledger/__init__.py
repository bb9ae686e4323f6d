"""The truth: one append-only ledger, and the words everyone shares."""
