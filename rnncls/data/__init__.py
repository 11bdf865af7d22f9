"""From files to labelled, encoded rows: formats, readers, splits, cache, quality.

May import: `text`, `config`, `machine`.

Other rooms use: `loading` (the data of a run), `sources` and `fingerprint` (its files),
`datasets`, `builtin`, `splits`, `readers` (`read_rows` reads all formats), `rows`,
`headers`, `text_files`, `file_sets`, `checksums`, `cache`,
`init_config` and `conversion` (`rnncls init`), `inspection`, `quality`, `all_rows`
(`rnncls inspect`).
"""
