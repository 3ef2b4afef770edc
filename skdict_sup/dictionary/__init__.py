"""Unsupervised dictionary learning: pure functions of arrays and records.

    initialise ──> online      closed-form updates of the atoms, for the linear transfer
               └─> projected   projected gradient steps, for any transfer

`learner` chooses between the two, and runs epochs over a data set.
"""
