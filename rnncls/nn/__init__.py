"""The networks: recurrent layers, classifier, language model.

May import: `text`, `config`, `machine`.
"""
