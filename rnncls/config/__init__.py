"""The config: every key with its type, bounds and documentation; reading YAML and
overrides.

May import: errors (`rnncls`), `machine`.
"""
