"""Time of one epoch over ten thousand digits, without labels and with them."""

from skdict_sup import ElasticNet, OnlineDictionaryLearning, SupervisedDictionaryClassifier

from .common import digits_to_learn, learned


class Epoch:
    params = (["float32", "float64"],)
    param_names = ("dtype",)
    number = 1  # an epoch changes the estimator: each starts from a fresh one

    def setup(self, dtype):
        self.X, self.y = digits_to_learn(10_000, dtype)
        options = {"prior": ElasticNet(lam=0.15), "init": learned(100, dtype), "random_state": 0}
        self.unsupervised = OnlineDictionaryLearning(100, **options)
        self.supervised = SupervisedDictionaryClassifier(100, **options)
        self.unsupervised.partial_fit(self.X[:512])  # compiles
        self.supervised.partial_fit(self.X[:512], self.y[:512], classes=range(10))

    def time_unsupervised(self, dtype):
        self.unsupervised.partial_fit(self.X)

    def time_supervised(self, dtype):
        self.supervised.partial_fit(self.X, self.y)
