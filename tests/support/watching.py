"""A callback of scikit-learn that keeps what it is told."""


class Watch:
    """Keeps what it is told; asks to stop after a task of some name and number."""

    def __init__(self, stop_after=None, task="epoch"):
        self.stop_after, self.task, self.events, self.scores = stop_after, task, [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.events.append(("end", context.task_name))
        self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == self.task and context.task_id + 1 == self.stop_after

    def teardown(self, estimator, context):
        self.events.append("teardown")
