"""Learning dictionaries from signals alone: pure functions of arrays and records.

    initialise ──> online      closed updates of the atoms, for the linear transfer
               └─> projected   projected gradients, for any transfer

`learner` chooses between the two, and passes over a data set.
"""
