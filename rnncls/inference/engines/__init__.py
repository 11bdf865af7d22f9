"""Classifiers in engines that others wrote: Ray, Spark and MLflow.

Users import the modules as `rnncls.ray`, `rnncls.spark` and `rnncls.mlflow`:
`rnncls/__init__.py` adds this folder to the path of the package. Import them by these
names only, since pickled objects name the module that their worker imports.

Each imports its engine when it needs it. May import: `inference`.
"""
