"""A project with every kind of syntax, whose fingerprints must never change by themselves."""
# The odd forms are the point.
# ruff: noqa
# fmt: off

from .forms import clean as clean
