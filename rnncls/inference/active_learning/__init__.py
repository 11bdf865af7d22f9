"""Active learning: which texts to label next.

`pool` leaves out the texts that are labelled already, `uncertainty` and `diversity`
have the measures, `selection` chooses. For `rnncls suggest`: `pool.Pool`,
`selection.suggest_texts`.

May import: the modules of `inference` beside this folder, and what is below them.
"""
