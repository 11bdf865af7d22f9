"""The run folder: write, read, verify and track.

May import: `data`, `nn` and what is below them.
"""
