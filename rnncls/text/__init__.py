"""From text to token ids: cleaning, tokenisation, vocabulary, word vectors, batches.

May import: `config`, `machine`.

Other rooms use: `tokenizer`, `incremental`, `vocab`, `vectors`, `batching`.
"""
