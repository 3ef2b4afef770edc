"""Benchmarks for asv: small classes, with compilation kept out of the timings by `setup`."""
