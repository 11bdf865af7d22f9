"""Predictions of a trained classifier, and in `insight` the reasons for them.

Modules that other rooms use:

    prediction         `Prediction`: what is said of one text
    predictor          `Predictor`: predictions in torch, on any device
    light              the same in NumPy, without importing torch
    runtime            choose between the two
    loaded_classifier  the classifier that `rnncls.load` returns
    serve              predictions over HTTP, without torch
    engines            `rnncls.ray`, `rnncls.spark` and `rnncls.mlflow`, for users
    insight            explanations, trajectories, gates and more
    active_learning    which texts to label next

May import: `evaluation` and what is below it.
"""
