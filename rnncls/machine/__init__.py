"""The machine: device, random seeds, threads, memory, signals, processes and files.

Modules for other rooms: `device` (device, precision), `seeds`, `threads` (workers),
`memory` (malloc), `imports` (fast imports, without torch), `signals` (stop requests),
`processes` (the process group of torchrun) and `files` (verified files).

May import: `rnncls` (errors) only.
"""
