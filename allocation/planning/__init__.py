"""What looks ahead: demand as it would have been, how much to keep and order, what has lain too long."""
