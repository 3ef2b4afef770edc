"""Learning dictionaries with labels: pure functions of arrays and records.

    signals ──> coding_layer ──> codes ──> heads ──> scores ──> loss

`step` has the gradients through all of it and a step along them, `data` the mini-batches, `passes`
whole passes over a data set, `head_fit` the convex problem of the head alone, and `hypergradient`
the gradients in hyper-parameters.
"""
