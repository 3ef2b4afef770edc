"""Parameters of the supervised estimators, and whether they are in range."""

from numbers import Real
from typing import Any

import numpy as np

from .._validation import check_option, check_scalar
from ..priors import Prior
from ._training import TrainedEstimator

_STEADY_LAM2 = 0.1  # of prior="elastic_net": codes move less where atoms are alike


class TrainingParameters(TrainedEstimator):
    """Constructor and checks of what the classifier and the regressor share."""

    def __init__(
        self,
        n_components=100,
        *,
        prior: Prior | str = "elastic_net",
        transfer="linear",
        loss: Any = "auto",
        nu: float | str = "auto",
        mu: Any = 0.0,
        dropout=0.0,
        head="linear",
        fit_linear=False,
        n_projected=None,
        init: Any = "data",
        init_max_iter: int | str = "auto",
        learning_rate: float | str = "auto",
        batch_size: int | str = "auto",
        max_iter=30,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        augment=None,
        positive_dictionary=False,
        warm_start=False,
        solver="auto",
        split_sign=False,
        device=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.prior = prior
        self.transfer = transfer
        self.loss = loss
        self.nu = nu
        self.mu = mu
        self.dropout = dropout
        self.head = head
        self.fit_linear = fit_linear
        self.n_projected = n_projected
        self.init = init
        self.init_max_iter = init_max_iter
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.augment = augment
        self.positive_dictionary = positive_dictionary
        self.warm_start = warm_start
        self.solver = solver
        self.split_sign = split_sign
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _check_training(self):
        """Raise unless every parameter of the training is in range."""
        self._check_learning()
        self._check_switches("early_stopping", "warm_start")
        self._terms()
        self._check_number_or_auto("nu", low=0.0)
        names = {"auto", "mairal"}
        self._check_number_or_auto("learning_rate", names, low=0.0, strict=True)
        self._check_mu()
        self._check_switches("fit_linear")
        check_scalar(self.dropout, "dropout", low=0.0, high=0.99)
        check_option(self.head, "head", {"linear", "bilinear"})
        if self.head == "bilinear" and self._blocks():
            raise ValueError("head='bilinear' needs multi_class='shared', got multi_class='ovr'.")
        if self.n_projected is not None:
            check_scalar(
                self.n_projected,
                "n_projected",
                low=1,
                high=self.n_features_in_,
                integer=True,
                also="(the number of features) or None",
            )
            if self.transfer == "softmax":
                raise ValueError(
                    "n_projected needs transfer='linear': a projection of a distribution is none."
                )
        self._check_number_or_auto("batch_size", low=1, integer=True)
        self._check_number_or_auto("init_max_iter", low=0, integer=True)
        check_scalar(
            self.validation_fraction, "validation_fraction", low=0.0, high=1.0, strict=True
        )
        check_scalar(self.n_iter_no_change, "n_iter_no_change", low=1, integer=True)
        if self.augment is not None and not callable(self.augment):
            raise TypeError(f"augment must be a callable or None, got {self.augment!r}.")

    def _mixes(self):
        """Whether there is a reconstruction term, and so a use for samples without a label."""
        return not (isinstance(self.mu, Real) and self.mu == 0)

    def _check_mu(self):
        values = [self.mu(t) for t in (0.0, 0.5, 1.0)] if callable(self.mu) else self.mu
        values = values if isinstance(values, list | tuple | np.ndarray) else [values]
        numbers = [isinstance(v, Real) and not isinstance(v, bool) for v in values]
        if not (all(numbers) and len(values) and all(0 <= v <= 1 for v in values)):
            kind = ValueError if all(numbers) else TypeError
            raise kind(
                f"mu must be a number in [0, 1], a sequence of such numbers or a function of the "
                f"progress in [0, 1] to them, got {self.mu!r}."
            )

    def _terms(self):
        """Checked terms.

        The prior's name stands for one with a ridge, for steady gradients, and with codes w >= 0:
        signed codes of x and -x are mirror images, which no linear head tells apart by their size.
        """
        reconstruction, prior, solver = super()._terms()
        if isinstance(self.prior, str):
            prior = self._named_prior(self.prior)
        return reconstruction, prior, solver

    def _named_prior(self, name):
        prior = super()._named_prior(name)
        if name == "elastic_net":
            prior.set_params(lam2=_STEADY_LAM2, positive=not self.split_sign)
        return prior
