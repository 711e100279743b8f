"""Delimited text files and what their cells mean; ``repo.loading`` is what callers use."""
