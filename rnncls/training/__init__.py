"""The training step and loop, pretraining, cross-validation, tuning.

May import: `evaluation` and what is below it.

For other rooms: `run.train`, `pretraining.pretrain`, `classification`,
`initialization`, `trainer`, `cross_validation`, `label_issues`, `tuning`.
"""
