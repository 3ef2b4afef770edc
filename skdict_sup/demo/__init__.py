"""Demo, run by `python -m skdict_sup`: three classifiers of digits, a table and a figure."""
