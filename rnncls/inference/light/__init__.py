"""Predictions in NumPy, for short commands: importing torch takes ten times as long.

May import: `runs` and what is below it, but no module that imports torch.

Modules that other rooms use: `predictor`, `support`.
"""
