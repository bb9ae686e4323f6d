"""Who may do what at a door, and what was done: roles, verbs, tokens, deeds."""
