"""The config: every key with its type, bounds and description; loading and validation.

Other rooms use:

- `sections`: `Config` and its five sections.
- `loading`: `load_config`, `parse_config` and `build_config`.
- `arguments`: the checks of what a Python program passes.
- `yaml_format`: `dump_config`, `dump_settings`.
- `describe`: the reference of the keys.

May import: errors (`rnncls`), `machine`.
"""
