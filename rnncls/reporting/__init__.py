"""Results for people: tables, pages, plots, and benchmarks.

May import: everything but `cli`.
"""
