"""Machine code for `skdict_sup`, which finds it by itself; there is nothing to import."""
