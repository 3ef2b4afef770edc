"""scikit-learn's callbacks, where this version of it has them (1.9 and later)."""

try:
    from sklearn.callback import (
        CallbackSupportMixin,  # pyright: ignore[reportAssignmentType]
        with_callbacks,
    )
except ImportError:

    class CallbackSupportMixin:
        """Stands in for that of later versions."""

    def with_callbacks(method):
        """Return the method: there is nothing to tear down."""
        return method


__all__ = ["CallbackSupportMixin", "Epochs", "with_callbacks"]


class Epochs:
    """Tells an estimator's callbacks of a fit and of its epochs."""

    def __init__(self, estimator, n_epochs, X, y):
        self.estimator, self.data = estimator, {"X": X, "y": y}
        begin = getattr(estimator, "_init_callback_context", None)
        self.fit = None if begin is None else begin(max_subtasks=n_epochs)
        self.epoch = None
        self._tell(self.fit, "call_on_fit_task_begin")

    def begin(self):
        """Before an epoch."""
        if self.fit is not None:
            self.epoch = self.fit.subcontext(task_name="epoch")
            self._tell(self.epoch, "call_on_fit_task_begin")

    def end(self):
        """After an epoch; whether a callback asks to stop."""
        return bool(self._tell(self.epoch, "call_on_fit_task_end"))

    def close(self):
        """At the end of the fit."""
        self._tell(self.fit, "call_on_fit_task_end")

    def _tell(self, context, hook):
        if context is None:
            return None
        fitted = self._fitted if hasattr(self.estimator, "components_") else None
        call = getattr(context, hook)
        return call(estimator=self.estimator, reconstruction_attributes=fitted, **self.data)

    def _fitted(self):
        """Attributes that make a predictor of a fresh estimator."""
        parameters = self.estimator.get_params(deep=False)
        hidden = ("_skl", "_callback", "_parent_callback")
        return {
            name: value
            for name, value in vars(self.estimator).items()
            if name not in parameters and not name.startswith(hidden)
        }
