"""Who may show what: rules, the engine that applies them, and targets."""
