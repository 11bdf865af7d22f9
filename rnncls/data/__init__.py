"""From files to labelled, encoded rows: readers, file formats, splits, cache, quality.

May import: `text`, `config`, `machine`.
"""
