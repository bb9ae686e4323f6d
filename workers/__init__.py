"""Everything that starts work: settings, wiring, use cases, Celery tasks."""
