"""Measures this package beside hand-written code and beside other packages, on the same rows.

``python -m tests.bench`` is the comparison, ``python -m tests.bench.scale`` the growth with size. Both
fail on wrong results and never on slow ones.
"""
