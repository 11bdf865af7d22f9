"""Train, evaluate, explain and ship recurrent text classifiers from a YAML file."""

__version__ = "0.1.0"
