"""The training step and loop, pretraining, cross-validation, tuning.

The training step is `trainer.Trainer.train_step`; `step_data` has its inputs and
results.

May import: `evaluation` and what is below it.

For other rooms: `run.train`, `pretraining.pretrain`, `classification`,
`initialization`, `trainer`, `cross_validation`, `label_issues`, `tuning`.
"""
