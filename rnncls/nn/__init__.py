"""The networks: recurrent layers, pooling, classifier, language model.

May import: `text`, `config`, `machine`.

Modules that other rooms use: `classifier`, `language_model`, `encoder`, `states`,
`dropout`, `unroll`, `initialization`, `ngrams`, `scope`.
"""
