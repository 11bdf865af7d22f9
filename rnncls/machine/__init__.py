"""The machine: device, random seeds, threads, memory, signals, processes and files.

Modules for other rooms: `device` (device, precision), `seeds`, `threads` (workers),
`memory` (malloc), `imports` (fast imports), `signals` (stop requests),
`processes` (the process group of torchrun), `files` (files written atomically, JSON),
`arrays` and `tensors` (safetensors files, verified when read). `imports`, `files` and
`arrays` do not import torch.

May import: `rnncls` (errors) only.
"""
