"""Public attributes of a supervised estimator, from a training, and parameters from these."""

from .._array import astype_like, namespace
from ..supervised.prediction import to_data_units
from ..supervised.step import split_atoms

ATTRIBUTES = {  # names of learned parameters, and of the public attributes
    "dictionary": "components_",
    "projection": "projection_",
    "coef": "coef_",
    "intercept": "intercept_",
    "linear": "linear_coef_",
    "offsets": "offset_components_",
}
_PREPARED = ("mean_", "scale_", "offset_")


def publish(estimator, training, targets):
    """Set the public attributes of an estimator from a training."""
    settings, arrays = training.settings, vars(estimator)
    parameters = to_data_units(training.state, settings, targets)
    parameters |= split_atoms(parameters["dictionary"], settings)
    for name, attribute in ATTRIBUTES.items():
        arrays.pop(attribute, None)
        if name in parameters:
            arrays[attribute] = parameters[name]
    for name in _PREPARED:
        arrays.pop(name, None)
        value = getattr(settings.preparation, name[:-1], None)
        if value is not None and not (name == "offset_" and value == 0):
            arrays[name] = value
    estimator.prior_ = settings.prior
    estimator.nu_ = settings.nu * settings.code_scale**2
    estimator.loss_curve_ = list(training.losses)
    estimator.validation_scores_ = list(training.scores)
    estimator.n_iter_ = len(training.losses)
    arrays.pop("learning_rate_", None)
    if training.learning_rate is not None:
        estimator.learning_rate_ = training.learning_rate
    arrays.pop("best_validation_score_", None)  # may be left from an earlier fit
    if training.best_score is not None:
        estimator.best_validation_score_ = training.best_score
    estimator.fitted_choices_ = _choices(estimator, training)
    arrays.update(targets.attributes())
    estimator._training, estimator._targets = training, targets


def parameters_like(estimator, like):
    """Learned parameters by name, in the units of the data, as arrays like `like`."""
    arrays = {
        name: astype_like(getattr(estimator, attribute), like)
        for name, attribute in ATTRIBUTES.items()
        if hasattr(estimator, attribute)
    }
    if (offsets := arrays.pop("offsets", None)) is not None:
        atoms = arrays["dictionary"]
        arrays["dictionary"] = namespace(atoms).concat([atoms, offsets[:, None]], axis=1)
    return arrays


def _choices(estimator, training):
    """Values that stand for "auto", by the name of the parameter."""
    settings, preparation = training.settings, training.settings.preparation
    values = {
        "standardise": preparation is not None and preparation.scale is not None,
        "fit_offset": preparation is not None and preparation.n_added > 0,
        "fit_linear": settings.head.skip,
        "learning_rate": training.learning_rate,
        "nu": estimator.nu_,
    }
    found = {
        name: value
        for name, value in values.items()
        if isinstance(getattr(estimator, name), str) and value is not None
    }
    lam = getattr(estimator._unresolved_prior(), "lam", None)
    return found | ({"lam": settings.prior.lam} if isinstance(lam, str) else {})
