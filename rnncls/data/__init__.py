"""From files to labelled, encoded rows: formats, readers, splits, cache, quality.

May import: `text`, `config`, `machine`.

Other rooms use: `loading` (the data of a run), `sources` and `fingerprint` (its files),
`datasets`, `builtin`, `splits`, `readers`, `rows`, `text_files`, `checksums`, `cache`,
`init_config` and `conversion` (`rnncls init`), `inspection`, `quality`, `all_rows`
(`rnncls inspect`).
"""
