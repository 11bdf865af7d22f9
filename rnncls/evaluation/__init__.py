"""How good a classifier is: metrics, calibration, error slices, comparison of runs.

May import: `runs` and what is below it.
"""
