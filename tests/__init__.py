"""Tests of the package, and the plain-Python oracle they compare it with."""
