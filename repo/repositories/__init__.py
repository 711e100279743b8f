"""One class an aggregate: what can be asked of it and written to it."""
