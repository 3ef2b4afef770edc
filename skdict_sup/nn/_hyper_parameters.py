"""Hyper-parameters of a prior in a layer: fixed, relative to the signals, or learned.

A relative lam ("auto" or "a*lam_max") follows the typical largest correlation of a signal with an
atom. A layer tracks it while it trains, because activations change scale while the layers below
learn, and keeps it in evaluation mode.
"""

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import torch

from ..priors import (
    TO_DIFFERENTIATE,
    as_prior,
    check_components,
    check_methods,
    is_positive,
    resolve_weights,
)
from ._settings import settings_by_name

LEARNABLE = "lam", "lam2", "p"


class HyperParameters:
    """What is fixed, relative or learned of a prior, and the tensor of their values.

    Attributes
    ----------
    prior : prior object
        The prior as given.
    relative : tuple of str
        Names of the settings that follow the scale of the signals.
    learned : tuple of str
        Names of the settings that are learned, on a log scale.
    lengths : dict
        Names of the settings in the tensor, each with None for a number or its length.
    """

    def __init__(self, prior, learn_prior, n_components, reconstruction):
        _refuse_tensors(prior)
        self.prior, self._reconstruction = as_prior(prior), reconstruction
        check_methods(self.prior, TO_DIFFERENTIATE, "to be the prior of a layer")
        check_components(self.prior, n_components)
        self.positive = is_positive(self.prior)
        settings = settings_by_name(self.prior)
        self.relative = tuple(k for k, v in settings.items() if isinstance(v, str))
        automatic = self._automatic(1.0) if self.relative else {}
        at_one = resolve_weights({k: settings[k] for k in self.relative}, automatic, 1.0)
        self._is_auto = {name: settings[name] == "auto" for name in self.relative}
        # values for signals whose typical correlation is one
        self._values = {k: at_one.get(k, v) for k, v in settings.items() if not _is_switch(v)}
        self.lengths = {k: len(v) if np.ndim(v) else None for k, v in self._values.items()}
        self.learned = self._names_of_learned(learn_prior)
        for name in self.learned:
            if not np.all(np.asarray(self._values[name]) > 0):
                raise ValueError(
                    f"prior must have {name} > 0 for learn_prior, which learns its logarithm, got "
                    f"{name}={settings[name]!r}."
                )

    def _automatic(self, scale):
        """Values for "auto", given a typical correlation."""
        return self._reconstruction.automatic(self.prior.automatic(scale))

    def _names_of_learned(self, learn_prior):
        if isinstance(learn_prior, bool):
            names = [name for name in LEARNABLE if name in self._values] if learn_prior else []
            # lam2 = 0 has no logarithm, and is the default: it is kept
            return tuple(n for n in names if n != "lam2" or self._values[n] != 0.0)
        if isinstance(learn_prior, str) or not isinstance(learn_prior, Iterable):
            raise TypeError(
                "learn_prior must be True, False or a sequence of names of hyper-parameters, "
                f"such as ('lam',), got {learn_prior!r}."
            )
        names = tuple(learn_prior)
        unknown = [name for name in names if name not in self._values]
        if unknown:
            raise ValueError(
                f"learn_prior must have names of hyper-parameters of {self.prior!r}, "
                f"{sorted(self._values)}, got {unknown}."
            )
        return names

    def initial_logarithms(self, like):
        """Logarithms of the learned settings, for signals whose typical correlation is one."""
        return {
            name: torch.as_tensor(np.log(self._values[name]), dtype=like.dtype).to(like.device)
            for name in self.learned
        }

    def tensor(self, scale, logarithms):
        """Values of all settings in one float64 tensor.

        `scale` is the typical correlation, `logarithms` are the learned parameters by name.
        """
        automatic = self._automatic(scale) if any(self._is_auto.values()) else {}
        values = []
        for name, value in self._values.items():
            unit: Any = 1.0
            if name in self._is_auto:
                value = automatic[name] if self._is_auto[name] else value * scale
                unit = value / self._values[name]
            if name in self.learned:
                value = torch.exp(logarithms[name]) * unit
            values.append(torch.as_tensor(value, dtype=torch.float64).reshape(-1))
        return torch.cat(on_one_device(values)) if values else torch.zeros(0)


def _refuse_tensors(prior):
    """Raise TypeError if a setting is a tensor that requires gradients."""
    if not hasattr(prior, "get_params") or isinstance(prior, type):
        return
    for name, value in settings_by_name(prior).items():
        if isinstance(value, torch.Tensor) and value.requires_grad:
            raise TypeError(
                f"prior must have numbers in a layer, got {name} as a tensor that requires "
                f"gradients: use learn_prior=('{name}',) to learn it, or the function sparse_code."
            )


def _is_switch(value):
    return isinstance(value, bool) or not isinstance(value, Real | str | np.ndarray)


def on_one_device(tensors):
    """Tensors on the first device that is not the host, if there is one."""
    for tensor in tensors:
        if tensor.device.type != "cpu":
            return [other.to(tensor.device) for other in tensors]
    return tensors
