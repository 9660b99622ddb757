"""Jobs: the only room that knows RQ and Redis."""
