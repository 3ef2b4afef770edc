"""Types of this package that files of stored estimators contain, for loaders that ask."""

_TYPES = (
    "skdict_sup._prepared_signals.Preparation",
    "skdict_sup.augment.compose.Compose",
    "skdict_sup.augment.gaussian_noise.GaussianNoise",
    "skdict_sup.augment.random_affine.RandomAffine",
    "skdict_sup.augment.random_shift.RandomShift",
    "skdict_sup.dictionary.online.OnlineState",
    "skdict_sup.dictionary.projected.ProjectedState",
    "skdict_sup.dictionary.statistics.Statistics",
    "skdict_sup.encoders.facnet.FacNet",
    "skdict_sup.encoders.gated.AdaptiveISTA",
    "skdict_sup.encoders.gated.SLSTM",
    "skdict_sup.encoders.steps.ALISTA",
    "skdict_sup.encoders.steps.StepLISTA",
    "skdict_sup.encoders.training.EncoderState",
    "skdict_sup.encoders.unrolled.LFISTA",
    "skdict_sup.encoders.unrolled.LISTA",
    "skdict_sup.estimators._targets.ClassTargets",
    "skdict_sup.estimators._targets.RealTargets",
    "skdict_sup.estimators.lista_encoder.LISTAEncoder",
    "skdict_sup.estimators.online_dictionary_learning.OnlineDictionaryLearning",
    "skdict_sup.estimators.sparse_coder.SparseCoder",
    "skdict_sup.estimators.supervised_dictionary_classifier.SupervisedDictionaryClassifier",
    "skdict_sup.estimators.supervised_dictionary_regressor.SupervisedDictionaryRegressor",
    "skdict_sup.execution.limits.Limits",
    "skdict_sup.image._stage.Stage",
    "skdict_sup.image.dictionary_denoiser.DictionaryDenoiser",
    "skdict_sup.image.dictionary_inpainter.DictionaryInpainter",
    "skdict_sup.image.patch_features.PatchFeatures",
    "skdict_sup.image.patch_regressor.PatchRegressor",
    "skdict_sup.losses.logistic.Logistic",
    "skdict_sup.losses.poisson.Poisson",
    "skdict_sup.losses.smoothed.Smoothed",
    "skdict_sup.losses.softmax.Softmax",
    "skdict_sup.losses.square.Square",
    "skdict_sup.losses.squared_hinge.SquaredHinge",
    "skdict_sup.optim.adadelta.Moments",
    "skdict_sup.optim.adam.Moments",
    "skdict_sup.optim.schedules.Cosine",
    "skdict_sup.optim.schedules.InverseTime",
    "skdict_sup.priors.elastic_net.ElasticNet",
    "skdict_sup.priors.kl.KL",
    "skdict_sup.priors.lp.Lp",
    "skdict_sup.reconstruction.linear.Linear",
    "skdict_sup.reconstruction.softmax.Softmax",
    "skdict_sup.solvers.coordinate_descent.CoordinateDescent",
    "skdict_sup.solvers.exponentiated_gradient.ExponentiatedGradient",
    "skdict_sup.solvers.fista.FISTA",
    "skdict_sup.solvers.homotopy.Homotopy",
    "skdict_sup.solvers.newton.Newton",
    "skdict_sup.supervised.heads.BilinearHead",
    "skdict_sup.supervised.heads.BlockHead",
    "skdict_sup.supervised.heads.LinearHead",
    "skdict_sup.supervised.step.HeadSettings",
    "skdict_sup.supervised.step.SupervisedSettings",
    "skdict_sup.supervised.step.SupervisedState",
    "skdict_sup.supervised.trainer.Training",
)


def trusted_types() -> list[str]:
    """Names of the types in files of fitted and unfitted estimators, for ``skops.io.load``.

    Files of skops run no code when they are loaded, and contain only types that skops knows or
    that the caller names. These are the types of this package that its estimators need; each is a
    class, and none of them runs code that a file chooses.

    Returns
    -------
    list of str
        Full names of classes, sorted. Custom functions and objects in an estimator (`augment`, a
        schedule of `mu`, a loss, a prior) are not among them.

    Examples
    --------
    >>> import skdict_sup
    >>> "skdict_sup.priors.kl.KL" in skdict_sup.trusted_types()
    True

    ``skops.io.load("learner.skops", trusted=skdict_sup.trusted_types())`` loads any estimator.
    """
    return list(_TYPES)
