"""Why a classifier predicts what it does.

Word attributions, trajectories, gates, flag units, gradients and word order.

May import: `evaluation` and what is below it.
"""
