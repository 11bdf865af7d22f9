"""Why a classifier predicts what it does: word attributions, trajectories, gates,
gradients, word order.

May import: `evaluation` and what is below it.
"""
