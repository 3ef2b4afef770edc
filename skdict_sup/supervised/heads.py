"""Heads: maps from codes (and signals) to scores, with their vector-Jacobian products.

The parameters of a head are a mapping of names to arrays: `coef` for the codes, `intercept`, and
`linear` for the signals if there is a skip connection.
"""

from dataclasses import dataclass

from .._array import device_of, ignore_float_warnings, namespace


@dataclass(frozen=True)
class LinearHead:
    """Linear head: features coef' + intercept, plus X linear' with a skip connection."""

    skip: bool = False

    @property
    def uses_signals(self):
        """Whether scores depend on the signals directly, not only through the codes."""
        return self.skip

    def zero_parameters(self, like, n_outputs, n_codes, n_features):
        """Parameters of zeros, in the array library, dtype and device of `like`."""
        xp = namespace(like)
        kwargs = {"dtype": like.dtype, "device": device_of(like)}
        shapes = {
            "coef": self._coef_shape(n_outputs, n_codes, n_features),
            "intercept": (n_outputs, 1),
        }
        if self.skip:
            shapes["linear"] = (n_outputs, n_features)
        return {name: xp.zeros(shape, **kwargs) for name, shape in shapes.items()}

    @ignore_float_warnings()
    def scores(self, parameters, features, X):
        """Scores of the samples, (n_samples, n_outputs)."""
        scores = self._code_scores(parameters["coef"], features, X)
        if self.skip:
            scores = scores + self.linear_scores(parameters, X)
        return scores + parameters["intercept"][:, 0][None, :]

    def linear_scores(self, parameters, X):
        """Scores from the skip connection alone, or None without one."""
        return X @ parameters["linear"].T if self.skip else None

    @ignore_float_warnings()
    def contributions(self, parameters, features, X):
        """Parts of `_code_scores`, one for each feature: (n_samples, n_outputs, n_codes)."""
        return self._code_contributions(parameters["coef"], features, X)

    def vjp(self, parameters, features, X, grad_scores):
        """Gradients with respect to parameters and features, from those of the scores."""
        xp = namespace(features)
        grad_coef, grad_features = self._code_vjp(parameters["coef"], features, X, grad_scores)
        gradients = {"coef": grad_coef, "intercept": xp.sum(grad_scores, axis=0)[:, None]}
        if self.skip:
            gradients["linear"] = grad_scores.T @ X
        return gradients, grad_features

    def _coef_shape(self, n_outputs, n_codes, n_features):
        """Shape of `coef`."""
        return (n_outputs, n_codes)

    def _code_scores(self, coef, features, X):
        """Scores from the codes alone, without skip connection and intercept."""
        return features @ coef.T

    def _code_contributions(self, coef, features, X):
        """Parts of `_code_scores`, one for each feature."""
        return features[:, None, :] * coef[None, :, :]

    def _code_vjp(self, coef, features, X, grad_scores):
        """Gradients with respect to `coef` and features."""
        return grad_scores.T @ features, grad_scores @ coef


@dataclass(frozen=True)
class BlockHead(LinearHead):
    """Linear head in which each output depends only on the codes over its own dictionary.

    With `split_sign`, features are the positive and negative parts of the codes.
    """

    split_sign: bool = False

    def _coef_shape(self, n_outputs, n_codes, n_features):
        """Shape of `coef`."""
        return (n_outputs, n_codes // n_outputs)

    def _blocks(self, coef, features):
        """Features, (n_samples, n_halves, n_outputs, p), and coef, (n_halves, n_outputs, p)."""
        xp = namespace(features)
        n_outputs, n_halves = coef.shape[0], 2 if self.split_sign else 1
        p = coef.shape[1] // n_halves
        coef = xp.permute_dims(xp.reshape(coef, (n_outputs, n_halves, p)), (1, 0, 2))
        return xp.reshape(features, (features.shape[0], n_halves, n_outputs, p)), coef

    def _code_scores(self, coef, features, X):
        """Scores from the codes alone, without skip connection and intercept."""
        blocks, coef = self._blocks(coef, features)
        return namespace(features).sum(blocks * coef[None, ...], axis=(1, 3))

    def _code_contributions(self, coef, features, X):
        """Parts of `_code_scores`, one for each feature; zero for features of other outputs."""
        xp, n_outputs = namespace(features), coef.shape[0]
        blocks, coef = self._blocks(coef, features)
        own = (blocks * coef[None, ...])[:, None, ...]
        is_own = xp.eye(n_outputs, dtype=own.dtype, device=device_of(own))
        parts = own * is_own[None, :, None, :, None]
        return xp.reshape(parts, (features.shape[0], n_outputs, features.shape[1]))

    def _code_vjp(self, coef, features, X, grad_scores):
        """Gradients with respect to `coef` and features."""
        xp = namespace(features)
        blocks, coef_blocks = self._blocks(coef, features)
        grad_scores = grad_scores[:, None, :, None]
        grad_coef = xp.permute_dims(xp.sum(grad_scores * blocks, axis=0), (1, 0, 2))
        grad_features = xp.reshape(grad_scores * coef_blocks[None, ...], features.shape)
        return xp.reshape(grad_coef, coef.shape), grad_features


@dataclass(frozen=True)
class BilinearHead(LinearHead):
    """Bilinear head, scores_k = x' coef_k features: the weights of the codes depend on the signal.

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, "Task-driven dictionary learning", 2012, section 3.3; K. Koch,
    J. Corso, "Sparse factorization layers for neural networks with limited supervision".
    """

    @property
    def uses_signals(self):
        """True: scores always depend on the signals directly."""
        return True

    def _coef_shape(self, n_outputs, n_codes, n_features):
        """Shape of `coef`."""
        return (n_outputs, n_codes, n_features)

    def _weights(self, coef, X):
        """Weights of the features for each signal: (n_samples, n_outputs, n_codes)."""
        xp = namespace(coef)
        flat_coef = xp.reshape(coef, (-1, coef.shape[2]))
        return xp.reshape(X @ flat_coef.T, (X.shape[0], *coef.shape[:2]))

    def _code_scores(self, coef, features, X):
        """Scores from the codes alone, without skip connection and intercept."""
        return namespace(features).sum(self._code_contributions(coef, features, X), axis=2)

    def _code_contributions(self, coef, features, X):
        """Parts of `_code_scores`, one for each feature."""
        return self._weights(coef, X) * features[:, None, :]

    def _code_vjp(self, coef, features, X, grad_scores):
        """Gradients with respect to `coef` and features."""
        xp = namespace(X)
        grad_features = xp.sum(self._weights(coef, X) * grad_scores[:, :, None], axis=1)
        pairs = grad_scores[:, :, None] * features[:, None, :]
        grad_coef = xp.reshape(pairs, (X.shape[0], -1)).T @ X
        return xp.reshape(grad_coef, coef.shape), grad_features
