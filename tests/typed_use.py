"""What users write, for a type checker to read: nothing of it is run."""
# pyright: strict

import numpy as np

from skdict_sup import (
    KL,
    ElasticNet,
    LISTAEncoder,
    Lp,
    OnlineDictionaryLearning,
    Solution,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    code_vjp,
    encode,
    encode_with_vjp,
    lam_max,
)


def falling(progress: float) -> float:
    """A course of mu."""
    return 1 - progress


def use() -> None:
    """Never called."""
    X, D, y = np.ones((3, 4)), np.eye(4), np.arange(3)

    priors = ElasticNet(1), ElasticNet(0.1, 0.2, True), KL("auto", [0.1]), KL(1.0, D[0]), Lp(1)
    for prior in priors:
        found: Solution = encode(X, D, prior=prior, tol=1e-6, init=X, output="sparse", n_jobs=-1)
        code_vjp(X, D, found.code, X, prior=prior, transfer="softmax").prior.lam
        solution, vjp = encode_with_vjp(X, D, prior=prior, solver="newton", max_iter=10)
        vjp(solution.code).dictionary.shape
        lam_max(X, D, prior).max()

    encode(X, D, prior=3)  # pyright: ignore[reportArgumentType]
    encode(X, D, tol="small")  # pyright: ignore[reportArgumentType]
    encode(X, D).codes  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    SparseCoder(D, prior=ElasticNet(1)).fit(X).transform(X).shape
    for kind in (SupervisedDictionaryClassifier, SupervisedDictionaryRegressor):
        settings = kind(4, prior=KL(0.1, 0.1), nu=0.1, mu=falling, init=D, n_projected=3)
        fitted = settings.fit(X, y)
        print(fitted.components_.shape, fitted.coef_.T, fitted.intercept_, fitted.predict(X))
        kind(4, prior="kl", learning_rate=0.1, batch_size=3, init_max_iter=1, random_state=0)
    OnlineDictionaryLearning(3, prior=Lp(0.1), init=D, batch_size=3).fit(X).components_
    LISTAEncoder(
        prior=ElasticNet(0.1), mu=0.1, dictionary_update="tied", loss="square", dictionary=D
    )
