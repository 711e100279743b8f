"""Faults that need a pooler, a second server, a namespace or a long time: nox -s faults."""
