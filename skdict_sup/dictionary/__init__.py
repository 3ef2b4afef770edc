"""Learning dictionaries: pure functions of arrays and records, no estimator in sight.

    initialise ──> online ──> supervised        first atoms; learned without labels; with labels
                                  ^
                                 adam           the optimiser, and the ball that atoms live in

`training` strings them together for a whole data set, one epoch at a time.
"""
