"""What the house tells Prometheus: the metrics, how each is computed from the tables, and the door they are read at."""
