"""Expected against actual: drift, its cause, and when to halt."""
