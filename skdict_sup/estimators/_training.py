"""Settings and state of a training, from the parameters of a supervised estimator."""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import train_test_split

from ..limit_arguments import GREEDY
from ..priors import TO_DIFFERENTIATE, check_methods, is_unresolved
from ..supervised import choices, heads, start
from ..supervised.step import SupervisedSettings
from ..supervised.trainer import Trainer
from ._choices import candidates, may_have_linear_path, refuse_preparations
from ._parameters import check_parameters

_LEAST_HELD_OUT = 2  # numbers, whose R2 decides on the best epoch


def check_training(estimator):
    """Raise unless all parameters of the training are in range."""
    check_parameters(estimator, estimator._learning)
    _check_limits(estimator)
    prior = estimator._check_terms()[1]
    check_methods(prior, TO_DIFFERENTIATE, "to be learned through")
    if estimator.head == "bilinear" and _has_dictionary_per_output(estimator):
        raise ValueError("head='bilinear' requires multi_class='shared', got multi_class='ovr'.")
    incomplete = [
        f"{name}={value!r}"
        for name, value, plain in (
            ("n_projected", estimator.n_projected, None),
            ("fit_linear", has_linear_path(estimator), False),
            ("head", estimator.head, "linear"),
        )
        if estimator.allow_nan and value not in (plain, "auto")
    ]
    if incomplete:
        raise ValueError(
            f"allow_nan=True requires that only codes see the signals, got {incomplete[0]}, which "
            "is a product with whole signals."
        )
    if estimator.n_projected is not None and estimator.transfer == "softmax":
        raise ValueError(
            "n_projected requires transfer='linear': projections of distributions are none."
        )
    refuse_preparations(estimator)


def refuse_missing(training, X):
    """Raise if entries are missing that a trained model has products with."""
    head = training.settings.head
    needs = {
        "fit_linear=True": head.skip,
        "head='bilinear'": head.uses_signals,
        "n_projected": "projection" in training.state.parameters,
    }
    name = next((name for name, is_needed in needs.items() if is_needed), None)
    if name and not X.is_whole():
        raise ValueError(
            f"X must have no missing entries (NaN) for a model with {name}, which is a product "
            "with whole signals; fit again with allow_nan=True, or fill them in."
        )


def _check_limits(estimator):
    """Raise if the limits of codes do not go with the other parameters."""
    if estimator.solver == GREEDY:
        raise ValueError(
            f"solver={GREEDY!r} has no gradients to learn through: use max_nonzeros or "
            "max_residual with solver='auto', got 'omp'."
        )
    if estimator._limits() is not None and estimator._uses_unlabelled():
        raise ValueError(
            "max_residual and max_nonzeros require mu=0: codes at limits do not minimise one "
            f"objective, got mu={estimator.mu!r}."
        )


def hold_out(estimator, samples, targets, rng):
    """Split samples into training and validation samples, stratified by class.

    The latter are None without early stopping.
    """
    if not estimator.early_stopping:
        return samples, None
    rows, seed = np.arange(samples.n_samples), int(rng.integers(2**31))
    try:
        train, test = train_test_split(
            rows,
            test_size=estimator.validation_fraction,
            random_state=seed,
            stratify=targets.strata(samples.labels),
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True requires held-out samples: {len(rows)} samples cannot be split "
            f"with validation_fraction={estimator.validation_fraction} ({error})."
        ) from error
    if targets.strata(samples.labels) is None and len(test) < _LEAST_HELD_OUT:
        raise ValueError(
            f"early_stopping=True requires held-out samples: {len(test)} of {len(rows)} samples "
            f"with validation_fraction={estimator.validation_fraction} has no R2; hold out at "
            f"least {_LEAST_HELD_OUT}."
        )
    return samples.subset(train), samples.subset(test)


def make_trainer(estimator, targets):
    """Trainer with the parameters of an estimator."""
    return Trainer(
        targets,
        learning_rate=estimator.learning_rate,
        mu=estimator.mu,
        patience=estimator.n_iter_no_change,
        tol=estimator.tol,
        verbose=estimator.verbose,
    )


def initial_state_and_settings(estimator, samples, targets, rng, *, stream=False):
    """Initial state and settings of a fit from scratch."""
    reconstruction, prior, solver = estimator._check_terms()
    n_blocks = targets.n_outputs if _has_dictionary_per_output(estimator) else 1
    settings = SupervisedSettings(
        reconstruction=reconstruction,
        prior=prior,
        solver=solver,
        head=_make_head(estimator, n_blocks),
        n_blocks=n_blocks,
        split_sign=estimator.split_sign,
        tol=reconstruction.learning_tol(prior),
        **_free_settings(estimator, targets),
    )
    is_open = estimator.fit_linear == "auto" and not stream
    if is_open and may_have_linear_path(estimator, samples.X):
        fit_linear = "auto"
    else:
        fit_linear = has_linear_path(estimator)
    options = start.StartOptions(
        estimator.n_components,
        n_projected=estimator.n_projected,
        init=estimator.init,
        init_max_iter=estimator.init_max_iter,
        nu=estimator.nu,
        fit_linear=fit_linear,
        verbose=estimator.verbose,
    )
    found = candidates(estimator, samples, prior, stream=stream)
    trainer = make_trainer(estimator, targets)
    arguments = samples, settings, options, trainer, rng, estimator.max_iter
    settings = choices.choose(*found, *arguments).settings(samples, settings)
    samples = samples.prepared(settings.preparation)
    return start.initial_state_and_settings(samples, settings, options, rng, stream=stream)


def continued_settings(estimator, targets):
    """Settings of the last fit, updated by parameters that may change between fits.

    Raises if a parameter that determines the shapes of learned arrays has changed.
    """
    reconstruction, prior, solver = estimator._check_terms()
    settings, parameters = estimator._training.settings, estimator._training.state.parameters
    n_projected = parameters["projection"].shape[0] if "projection" in parameters else None
    blocks, n_atoms = settings.n_blocks, parameters["dictionary"].shape[0]
    preparation = settings.preparation
    prepares = preparation is not None
    for name, value, expected in (
        ("n_components", estimator.n_components, n_atoms // blocks),
        ("n_projected", estimator.n_projected, n_projected),
        ("split_sign", estimator.split_sign, settings.split_sign),
        ("fit_linear", estimator.fit_linear, settings.head.skip),
        ("standardise", estimator.standardise, prepares and preparation.scale is not None),
        ("fit_offset", estimator.fit_offset, prepares and preparation.n_added > 0),
        ("head", estimator.head, _head_name(settings.head)),
    ):
        if value != expected and value != "auto":
            raise ValueError(
                f"{name} must be {expected!r} to continue learning, as in the first fit; "
                f"got {value!r}."
            )
    if is_unresolved(prior) and type(prior) is not type(settings.prior):
        raise ValueError(
            f"prior must be of the type of the first fit, {type(settings.prior).__name__}, or "
            f'have numbers in place of "auto" to continue learning; got {prior!r}.'
        )
    n_outputs, n_outputs_before = targets.n_outputs, parameters["intercept"].shape[0]
    if _has_dictionary_per_output(estimator) and blocks == 1 and n_outputs > 1:
        raise ValueError(
            "multi_class must be 'shared' to continue learning, as in the first fit; got 'ovr'."
        )
    if n_outputs != n_outputs_before:
        raise ValueError(
            f"loss must have {n_outputs_before} output(s) to continue learning, as in the first "
            f"fit; got {estimator.loss!r}, which has {n_outputs}."
        )
    nu, nu_linear = settings.nu, settings.nu_linear
    if estimator.nu != "auto":
        nu, nu_linear = estimator.nu / settings.code_scale**2, None
    return replace(
        settings,
        reconstruction=reconstruction,
        prior=settings.prior if is_unresolved(prior) else prior,
        solver=solver,
        nu=nu,
        tol=reconstruction.learning_tol(prior),
        nu_linear=nu_linear,
        **_free_settings(estimator, targets),
    )


def _free_settings(estimator, targets):
    """Settings that may change from one fit to the next, from the parameters."""
    return {
        "loss": targets.training_loss,
        "positive_dictionary": estimator.positive_dictionary,
        "dropout": estimator.dropout,
        "adaptive": estimator.learning_rate != "mairal",
        "n_jobs": estimator.n_jobs,
    }


def has_linear_path(estimator):
    """Whether the head has a linear model of the signals; with "auto", before any is chosen."""
    if estimator.fit_linear == "auto":
        return estimator.transfer == "softmax"
    return bool(estimator.fit_linear)


def _head_name(head):
    """Parameter `head` that a head stands for."""
    return "bilinear" if isinstance(head, heads.BilinearHead) else "linear"


def _make_head(estimator, n_blocks):
    """Head for the parameters of an estimator."""
    has_linear = has_linear_path(estimator)
    if n_blocks > 1:
        return heads.BlockHead(has_linear, estimator.split_sign)
    if estimator.head == "bilinear":
        return heads.BilinearHead(has_linear)
    return heads.LinearHead(has_linear)


def _has_dictionary_per_output(estimator):
    """Whether each output has its own dictionary."""
    return estimator.multi_class == "ovr"
