"""Demos of `python -m skdict_sup`: classifiers of digits, and restored photographs."""
