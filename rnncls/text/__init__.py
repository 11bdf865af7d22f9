"""From text to token ids: tokenizers, vocabulary, word vectors, batches.

May import: `config`, `machine`.

Other rooms use: `tokenizer`, `incremental`, `spans`, `vocab`, `vectors`,
`vector_package`, `encoded_texts`, `batch_plans`, `batching`,
`char_ngrams`, `ngram_hash`, `ngram_table`.
"""
