"""Predictions of a trained classifier, and in `insight` the reasons for them.

May import: `evaluation` and what is below it.
"""
