"""The command line: one module per command, each a thin wrapper over a plain function.

- `main`: `run`, which turns an error into a message and an exit code.
- `app`: the commands in the order of `rnncls --help`.
- `options`, `input_options`: options that several commands share.
- `reporting`: results as tables, pages, plots and files, and benchmarks.

May import: every other room. A command imports its room inside its function, so that
`rnncls --help` and a config error never load torch.
"""
