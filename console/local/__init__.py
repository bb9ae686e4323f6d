"""The local stack: our own PostgreSQL and Valkey, and a supervisor for the processes around them."""
