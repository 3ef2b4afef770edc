"""Supervised dictionary learning: pure functions of arrays and records.

    signals ──> coding_layer ──> codes ──> heads ──> scores ──> loss

`step` computes the gradients through all of it and the optimizer step, `data` the mini-batches,
`passes` the epochs over a data set, `head_fit` the optimal head on fixed codes (a convex problem),
and `hypergradient` the gradients with respect to hyper-parameters.
"""
