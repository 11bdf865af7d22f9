"""Active learning: which texts to label next.

`pool` reads the texts and leaves out those that are labelled already, `uncertainty` and
`diversity` have the measures, `selection` chooses. For `rnncls suggest`:
`pool.build_pool`, `selection.suggest_texts`.

May import: the modules of `inference` beside this folder, and what is below them.
"""
