"""Callbacks of scikit-learn 1.9 and later; earlier versions have none."""

from typing import TYPE_CHECKING, TypeVar

_Method = TypeVar("_Method")

if TYPE_CHECKING:
    from sklearn.callback import CallbackSupportMixin

    def with_callbacks(method: _Method, /) -> _Method:
        """The method; scikit-learn's decorator has no types, and would hide those of methods."""
        raise NotImplementedError  # read by type checkers, never run

else:
    try:
        from sklearn.callback import CallbackSupportMixin, with_callbacks
    except ImportError:

        class CallbackSupportMixin:
            """Empty stand-in for the mixin of later versions."""

        def with_callbacks(method):
            """Return the method unchanged."""
            return method


__all__ = ["CallbackSupportMixin", "Epochs", "with_callbacks"]


class Epochs:
    """Calls the callbacks of an estimator at the start and end of a fit and of its epochs."""

    def __init__(self, estimator, n_epochs, X, y):
        self.estimator, self.data = estimator, {"X": X, "y": y}
        begin = getattr(estimator, "_init_callback_context", None)
        self.fit = None if begin is None else begin(max_subtasks=n_epochs)
        self.epoch = self.batch = None
        self._call(self.fit, "call_on_fit_task_begin")

    def begin(self, n_batches=0):
        """Call the callbacks before an epoch, which has some mini-batches as subtasks."""
        if self.fit is not None:
            self.epoch = self.fit.subcontext(task_name="epoch", max_subtasks=n_batches)
            self._call(self.epoch, "call_on_fit_task_begin")

    def begin_batch(self):
        """Call the callbacks before a mini-batch; the estimator is that before the epoch."""
        if self.epoch is not None:
            self.batch = self.epoch.subcontext(task_name="batch")
            self._call(self.batch, "call_on_fit_task_begin")

    def end_batch(self):
        """Call the callbacks after a mini-batch; return whether one of them stops the fit."""
        return bool(self._call(self.batch, "call_on_fit_task_end"))

    def end(self):
        """Call the callbacks after an epoch; return whether one of them stops the fit."""
        return bool(self._call(self.epoch, "call_on_fit_task_end"))

    def close(self):
        """Call the callbacks at the end of the fit."""
        self._call(self.fit, "call_on_fit_task_end")

    def _call(self, context, hook):
        """Call a hook of the callbacks, if there are any; return its result."""
        if context is None:
            return None
        fitted = self._fitted if hasattr(self.estimator, "components_") else None
        hook_method = getattr(context, hook)
        return hook_method(estimator=self.estimator, reconstruction_attributes=fitted, **self.data)

    def _fitted(self):
        """Attributes that make an unfitted copy of the estimator predict."""
        parameters = self.estimator.get_params(deep=False)
        hidden = ("_skl", "_callback", "_parent_callback")
        return {
            name: value
            for name, value in vars(self.estimator).items()
            if name not in parameters and not name.startswith(hidden)
        }
