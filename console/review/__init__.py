"""The review of a quarter: what was brittle, what it cost, what is owed, as one page."""
