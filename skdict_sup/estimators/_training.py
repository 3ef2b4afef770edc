"""What a training is made of, from the parameters of a supervised estimator."""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import train_test_split

from ..priors import TO_DIFFERENTIATE, check_methods, is_unresolved
from ..supervised import heads
from ..supervised.start import StartOptions, first_state
from ..supervised.step import SupervisedSettings
from ..supervised.trainer import Trainer
from ._parameters import check_parameters


def check_training(estimator):
    """Raise unless every parameter of the training is in range."""
    check_parameters(estimator, estimator._learning)
    prior = estimator._terms()[1]
    check_methods(prior, TO_DIFFERENTIATE, "to be learned through")
    if estimator.head == "bilinear" and _in_blocks(estimator):
        raise ValueError("head='bilinear' needs multi_class='shared', got multi_class='ovr'.")
    if estimator.n_projected is not None and estimator.transfer == "softmax":
        raise ValueError(
            "n_projected needs transfer='linear': a projection of a distribution is none."
        )


def hold_out(estimator, samples, targets, rng):
    """Samples to learn from, and those that early stopping holds out, by class if any."""
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
            f"early_stopping=True needs samples to hold out: validation_fraction="
            f"{estimator.validation_fraction} of {len(rows)} samples cannot be split ({error})."
        ) from error
    return samples.part(train), samples.part(test)


def trainer_of(estimator, targets):
    """Trainer with the parameters of an estimator."""
    return Trainer(
        targets,
        learning_rate=estimator.learning_rate,
        mu=estimator.mu,
        patience=estimator.n_iter_no_change,
        tol=estimator.tol,
        verbose=estimator.verbose,
    )


def first_state_of(estimator, samples, targets, rng, *, stream=False):
    """State and settings of a first fit."""
    reconstruction, prior, solver = estimator._terms()
    n_blocks = targets.n_outputs if _in_blocks(estimator) else 1
    settings = SupervisedSettings(
        reconstruction=reconstruction,
        prior=prior,
        solver=solver,
        head=_head_of(estimator, n_blocks),
        n_blocks=n_blocks,
        split_sign=estimator.split_sign,
        **_free_settings(estimator, targets),
    )
    options = StartOptions(
        estimator.n_components,
        n_projected=estimator.n_projected,
        init=estimator.init,
        init_max_iter=estimator.init_max_iter,
        nu=estimator.nu,
        verbose=estimator.verbose,
    )
    return first_state(samples, settings, options, rng, stream=stream)


def continued_settings(estimator, targets):
    """Settings of a fitted estimator, with the parameters that may have changed since.

    Raises where a parameter has changed that decides the shapes of what was learned.
    """
    reconstruction, prior, solver = estimator._terms()
    learned, parameters = estimator._training.settings, estimator._training.state.parameters
    projected = parameters["projection"].shape[0] if "projection" in parameters else None
    blocks, n_atoms = learned.n_blocks, parameters["dictionary"].shape[0]
    for name, value, had in (
        ("n_components", estimator.n_components, n_atoms // blocks),
        ("n_projected", estimator.n_projected, projected),
        ("split_sign", estimator.split_sign, learned.split_sign),
        ("fit_linear", estimator.fit_linear, learned.head.path),
        ("head", _head_of(estimator, blocks), learned.head),
    ):
        if value != had:
            raise ValueError(
                f"{name} must be {had} to go on learning, as in the first fit; got {value}."
            )
    n_outputs, before = targets.n_outputs, parameters["intercept"].shape[0]
    if n_outputs != before or (_in_blocks(estimator) and blocks == 1 and n_outputs > 1):
        raise ValueError(
            f"loss must have {before} output(s) to go on learning, as in the first fit; got "
            f"{estimator.loss!r}, which has {n_outputs}."
        )
    nu = learned.nu if estimator.nu == "auto" else estimator.nu / learned.code_scale**2
    return replace(
        learned,
        reconstruction=reconstruction,
        prior=learned.prior if is_unresolved(prior) else prior,
        solver=solver,
        nu=nu,
        **_free_settings(estimator, targets),
    )


def _free_settings(estimator, targets):
    """Settings that may change from one fit to the next."""
    return {
        "loss": targets.training_loss,
        "positive_dictionary": estimator.positive_dictionary,
        "dropout": estimator.dropout,
        "adaptive": estimator.learning_rate != "mairal",
        "n_jobs": estimator.n_jobs,
    }


def _head_of(estimator, n_blocks):
    if n_blocks > 1:
        return heads.BlockHead(estimator.fit_linear, estimator.split_sign)
    if estimator.head == "bilinear":
        return heads.BilinearHead(estimator.fit_linear)
    return heads.LinearHead(estimator.fit_linear)


def _in_blocks(estimator):
    """Whether each output has a dictionary of its own."""
    return estimator.multi_class == "ovr"
