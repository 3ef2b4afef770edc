"""A small call of every kernel that has a version compiled for host memory."""

from typing import Any

import numpy as np

from .atom_panels import atom_panels


def sample_calls(dtype: Any = np.float64) -> dict[str, list[tuple]]:
    """Kernel -> arguments of calls, with arrays of a dtype, that need all its compiled parts."""
    rng = np.random.default_rng(0)
    n, p, m = 7, 20, 9
    D = rng.normal(size=(p, m))
    D = (D / np.linalg.norm(D, axis=1, keepdims=True)).astype(dtype)
    X = rng.normal(size=(n, m)).astype(dtype)
    code = (rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.3)).astype(dtype)
    gram, corr, sq_norm = D @ D.T, X @ D.T, (X * X).sum(axis=1)
    slope, weight = corr - code @ gram, np.cos(X) ** 2
    lams, start, one = [2.0, 0.5, 0.1], np.zeros_like(corr), np.eye(p, dtype=dtype)
    few = code * (np.arange(p) < 5)
    calls: dict[str, list[tuple]] = {
        "atom_panels": [(D,)],
        "panel_products": [(D, atom_panels(D), p, True)],
        "elastic_net_codes": [(gram, corr, 0.1, 0.0, False)],
        "elastic_net_certificate": [(corr, sq_norm, code, slope, 0.1, 0.0, False)],
        "elastic_net_bounds": [
            (corr, sq_norm, code, slope, 0.1, 0.0, False, one[0, :] + 1, 1e-14, 1e-16)
        ],
        "kl_codes": [(gram, D, corr, sq_norm, 0.1, one[0, :1] / 10, False, 1e-8, start, 100)],
        "kl_certificate": [
            (corr, abs(code) if positive else code, slope, sq_norm, 0.0, 0.1, one[0, :1], positive)
            for positive in (False, True)
        ],
        "coordinate_descent": [(gram, corr, sq_norm, 0.1, 0.0, False, 1e-6, 100)],
        "code_moments": [(X, code, code)],
        "linear_vjp": [(X, D, code, code)],
        "support_solve": [(gram, c, code != 0, corr) for c in (0.1, np.exp(code))],
        "thresholded_product": [(corr, c, atom_panels(gram), one[0, :]) for c in (corr, few)],
        "atom_update": [(D, code.T @ code + one, code.T @ X, False)],
        "ball_step": [(D, D[::-1].copy(), D, one[:, :1], 1, 0.1, False)],
        "weighted_elastic_net_codes": [(D, weight, corr, 0.1, 0.0, False)],
        "matching_pursuit_codes": [(gram, corr, sq_norm, 3)],
        "elastic_net_path": [(gram, corr, lams, 0.0, False)],
        "elastic_net_until": [(gram, corr, sq_norm, 0.0, 0.0, False, sq_norm / 4, 9)],
        "overlap_add": [(corr.reshape(-1, 2, 2)[:12], (0, 1, 3), (0, 2, 3, 4), 5, 6)],
        "error_diffusion": [(weight[:, :, None],)],
        "weighted_support_solve": [(D, weight, 0.1, code != 0, corr)],
        "weighted_coordinate_descent": [(D, weight, corr, sq_norm, 0.1, 0.0, False, 1e-6, 100)],
    }
    if np.dtype(dtype) == np.float32:
        arrays = X, D, gram, corr, code, slope
        calls["certified_codes"] = [(*arrays, 0.1, 0.0, False, 1e-5)]
    return calls
