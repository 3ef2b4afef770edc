"""Time and memory of gradients through codes."""

import numpy as np

from skdict_sup import ElasticNet, code_vjp, encode

from .common import digits_to_encode, learned


class CodeVjp:
    params = (["float32", "float64"], [0.15, 0.05, 0.02])
    param_names = ("dtype", "lam")

    def setup(self, dtype, lam):
        self.X, self.dictionary = digits_to_encode(1024, dtype), learned(300, dtype)
        self.prior = ElasticNet(lam=lam)
        self.code = encode(self.X, self.dictionary, prior=self.prior).code
        rng = np.random.default_rng(0)
        self.cotangent = rng.standard_normal(self.code.shape).astype(dtype)
        self.time_code_vjp(dtype, lam)  # compiles

    def time_code_vjp(self, dtype, lam):
        code_vjp(self.X, self.dictionary, self.code, self.cotangent, prior=self.prior)

    def peakmem_code_vjp(self, dtype, lam):
        code_vjp(self.X, self.dictionary, self.code, self.cotangent, prior=self.prior)
