"""Heads: maps from codes (and signals) to scores, with their gradients.

A head's parameters are arrays in a mapping: `coef` on the codes, `intercept`, and `linear` on the
signals where there is a linear path beside the codes.
"""

from dataclasses import dataclass

from .._array import device_of, ignore_float_warnings, namespace


@dataclass(frozen=True)
class LinearHead:
    """Scores = features coef' + intercept, and X linear' where there is a path."""

    path: bool = False

    @property
    def sees_signals(self):
        """Whether scores depend on the signals beside the codes."""
        return self.path

    def start(self, like, n_outputs, n_codes, n_features):
        """Zeros, in the library, dtype and device of an array."""
        xp = namespace(like)
        home = {"dtype": like.dtype, "device": device_of(like)}
        shapes = {"coef": self._shape(n_outputs, n_codes, n_features), "intercept": (n_outputs, 1)}
        if self.path:
            shapes["linear"] = (n_outputs, n_features)
        return {name: xp.zeros(shape, **home) for name, shape in shapes.items()}

    @ignore_float_warnings()
    def scores(self, parameters, features, X):
        """Scores (n_samples, n_outputs)."""
        scores = self._of_codes(parameters["coef"], features, X)
        if self.path:
            scores = scores + X @ parameters["linear"].T
        return scores + parameters["intercept"][:, 0][None, :]

    def pull_back(self, parameters, features, X, toward_scores):
        """Gradients of the parameters, and of the features, for one in the scores."""
        xp = namespace(features)
        toward_coef, toward_features = self._codes_back(
            parameters["coef"], features, X, toward_scores
        )
        gradients = {"coef": toward_coef, "intercept": xp.sum(toward_scores, axis=0)[:, None]}
        if self.path:
            gradients["linear"] = toward_scores.T @ X
        return gradients, toward_features

    def _shape(self, n_outputs, n_codes, n_features):
        return (n_outputs, n_codes)

    def _of_codes(self, coef, features, X):
        return features @ coef.T

    def _codes_back(self, coef, features, X, toward):
        return toward.T @ features, toward @ coef


@dataclass(frozen=True)
class BlockHead(LinearHead):
    """Each score from the codes of its own dictionary, or from the two halves of them."""

    halves: bool = False

    def _shape(self, n_outputs, n_codes, n_features):
        return (n_outputs, n_codes // n_outputs)

    def _blocks(self, coef, features):
        """Features (n_samples, halves, n_outputs, atoms), and coef (halves, n_outputs, atoms)."""
        xp = namespace(features)
        n_outputs, halves = coef.shape[0], 2 if self.halves else 1
        p = coef.shape[1] // halves
        coef = xp.permute_dims(xp.reshape(coef, (n_outputs, halves, p)), (1, 0, 2))
        return xp.reshape(features, (features.shape[0], halves, n_outputs, p)), coef

    def _of_codes(self, coef, features, X):
        parts, coef = self._blocks(coef, features)
        return namespace(features).sum(parts * coef[None, ...], axis=(1, 3))

    def _codes_back(self, coef, features, X, toward):
        xp = namespace(features)
        parts, blocks = self._blocks(coef, features)
        toward = toward[:, None, :, None]
        toward_coef = xp.permute_dims(xp.sum(toward * parts, axis=0), (1, 0, 2))
        toward_features = xp.reshape(toward * blocks[None, ...], features.shape)
        return xp.reshape(toward_coef, coef.shape), toward_features


@dataclass(frozen=True)
class BilinearHead(LinearHead):
    """Scores_k = x' coef_k features: a linear model of codes whose weights follow the signal.

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, "Task-driven dictionary learning", 2012, section 3.3; K. Koch,
    J. Corso, "Sparse factorization layers for neural networks with limited supervision".
    """

    @property
    def sees_signals(self):
        """Always."""
        return True

    def _shape(self, n_outputs, n_codes, n_features):
        return (n_outputs, n_codes, n_features)

    def _weights(self, coef, X):
        """Weights of the features for each signal: (n_samples, n_outputs, n_codes)."""
        xp = namespace(X)
        flat = xp.reshape(coef, (-1, coef.shape[2]))
        return xp.reshape(X @ flat.T, (X.shape[0], *coef.shape[:2]))

    def _of_codes(self, coef, features, X):
        return namespace(X).sum(self._weights(coef, X) * features[:, None, :], axis=2)

    def _codes_back(self, coef, features, X, toward):
        xp = namespace(X)
        toward_features = xp.sum(self._weights(coef, X) * toward[:, :, None], axis=1)
        pairs = toward[:, :, None] * features[:, None, :]
        toward_coef = xp.reshape(pairs, (X.shape[0], -1)).T @ X
        return xp.reshape(toward_coef, coef.shape), toward_features
