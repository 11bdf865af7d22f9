"""The machine: device, seeds, threads, signals, processes and files.

May import: errors (`rnncls`).
"""
