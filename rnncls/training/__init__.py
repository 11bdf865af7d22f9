"""The training step and loop, pretraining, cross-validation, tuning.

May import: `evaluation` and what is below it.
"""
