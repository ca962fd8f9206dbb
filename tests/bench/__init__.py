"""Benchmarks: each figure is judged as a ratio to a reference measured in the same run."""
