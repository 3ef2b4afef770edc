"""Time and memory of exact codes."""

import numpy as np

from skdict_sup import KL, ElasticNet, codes_path, encode

from .common import digits_to_encode, documents, learned


class Encode:
    params = (["float32", "float64"], [0.15, 0.05, 0.02], ["homotopy", "coordinate_descent"])
    param_names = ("dtype", "lam", "solver")

    def setup(self, dtype, lam, solver):
        self.X, self.dictionary = digits_to_encode(1024, dtype), learned(300, dtype)
        self.options = {"prior": ElasticNet(lam=lam), "solver": solver}
        encode(self.X[:64], self.dictionary, **self.options)  # compiles

    def time_encode(self, dtype, lam, solver):
        encode(self.X, self.dictionary, **self.options)

    def peakmem_encode(self, dtype, lam, solver):
        encode(self.X, self.dictionary, **self.options)


class EncodeBatches:
    """Single signals and mini-batches, where what each call takes counts."""

    params = (["float32", "float64"], [100, 300], [1, 32, 256])
    param_names = ("dtype", "n_components", "n_samples")

    def setup(self, dtype, n_components, n_samples):
        self.X, self.dictionary = digits_to_encode(n_samples, dtype), learned(n_components, dtype)
        self.prior = ElasticNet(lam=0.15)
        self.time_encode(dtype, n_components, n_samples)  # compiles

    def time_encode(self, dtype, n_components, n_samples):
        encode(self.X, self.dictionary, prior=self.prior)


class Fista:
    """Few signals and a wide tolerance: first-order steps are slow near the solution."""

    params = ([0.15, 0.05],)
    param_names = ("lam",)

    def setup(self, lam):
        self.X, self.dictionary = digits_to_encode(32), learned(100)
        self.prior = ElasticNet(lam=lam)

    def time_encode(self, lam):
        encode(self.X, self.dictionary, prior=self.prior, solver="fista", tol=1e-3)


class EncodeKL:
    """Smooth codes: many signals at once, and as few as a mini-batch holds."""

    params = (["float32", "float64"], [1e-1, 1e-2, 1e-4], [32, 1024])
    param_names = ("dtype", "p", "n_samples")

    def setup(self, dtype, p, n_samples):
        self.X, self.dictionary = digits_to_encode(n_samples, dtype), learned(100, dtype)
        self.prior = KL(lam=0.03, p=p)
        self.time_encode(dtype, p, n_samples)  # compiles

    def time_encode(self, dtype, p, n_samples):
        encode(self.X, self.dictionary, prior=self.prior)


class EncodeDocuments:
    """Sparse frequencies of 5000 words over atoms that are documents, through a softmax."""

    n_samples = 480
    params = (["float32", "float64"], [64, 256], ["kl", "elastic_net"])
    param_names = ("dtype", "n_components", "prior")

    def setup(self, dtype, n_components, prior):
        counts = documents(self.n_samples + n_components).astype(dtype)
        self.X, atoms = counts[: self.n_samples], counts[self.n_samples :].toarray()
        self.dictionary = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
        kl = KL(lam=1e-3, p=0.1)
        self.prior = kl if prior == "kl" else ElasticNet(lam=0.01, lam2=1e-3, positive=True)
        encode(self.X[:8], self.dictionary, prior=self.prior, transfer="softmax")  # compiles

    def time_encode(self, dtype, n_components, prior):
        encode(self.X, self.dictionary, prior=self.prior, transfer="softmax")


class EncodeAgain:
    """A second visit to the same signals, after a small step of the dictionary."""

    params = ([0.15, 0.05, 0.02],)
    param_names = ("lam",)

    def setup(self, lam):
        self.X, dictionary = digits_to_encode(4096), learned(300)
        self.prior = ElasticNet(lam=lam)
        self.init = encode(self.X, dictionary, prior=self.prior).code
        noise = np.random.default_rng(0).standard_normal(dictionary.shape)
        self.dictionary = dictionary + 1e-3 * noise / np.linalg.norm(noise, axis=1)[:, None]
        self.time_encode(lam)  # compiles

    def time_encode(self, lam):
        encode(self.X, self.dictionary, prior=self.prior, init=self.init)


class EncodeConstrained:
    """Missing entries, weights of atoms, and limits in place of lam."""

    params = (["float32", "float64"], ["mask", "atoms", "max_residual", "max_nonzeros", "omp"])
    param_names = ("dtype", "constraint")

    def setup(self, dtype, constraint):
        self.X, self.dictionary = digits_to_encode(1024, dtype), learned(300, dtype)
        rng = np.random.default_rng(0)
        mask = rng.uniform(size=self.X.shape) > 0.3  # another one for each signal
        weights = 0.15 * 2.0 ** rng.uniform(-1.0, 1.0, len(self.dictionary))
        self.options = {
            "mask": {"prior": ElasticNet(lam=0.15), "mask": mask},
            "atoms": {"prior": ElasticNet(lam=weights.astype(dtype))},
            "max_residual": {"max_residual": 0.5},  # signals have norm one
            "max_nonzeros": {"max_nonzeros": 10},
            "omp": {"solver": "omp", "max_nonzeros": 10},
        }[constraint]
        self.time_encode(dtype, constraint)  # compiles

    def time_encode(self, dtype, constraint):
        encode(self.X, self.dictionary, **self.options)


class Path:
    """Codes for fifty values of lam, beside one call for the smallest."""

    params = (["float32", "float64"],)
    param_names = ("dtype",)

    def setup(self, dtype):
        self.X, self.dictionary = digits_to_encode(512, dtype), learned(300, dtype)
        self.lams = np.geomspace(0.8, 0.01, 50)
        self.time_path(dtype)
        self.time_smallest(dtype)

    def time_path(self, dtype):
        codes_path(self.X, self.dictionary, self.lams)

    def time_smallest(self, dtype):
        encode(self.X, self.dictionary, prior=ElasticNet(lam=0.01))


class EncodeMany:
    """Codes that hold 400 MB when dense, and 10 MB when sparse."""

    params = (["dense", "sparse"],)
    param_names = ("output",)
    n_samples = 100_000

    def setup(self, output):
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((self.n_samples, 64), dtype=np.float32)
        self.dictionary = rng.standard_normal((1024, 64), dtype=np.float32)
        self.dictionary /= np.linalg.norm(self.dictionary, axis=1, keepdims=True)
        self.prior = ElasticNet(lam=2.0)

    def peakmem_encode(self, output):
        encode(self.X, self.dictionary, prior=self.prior, output=output)
