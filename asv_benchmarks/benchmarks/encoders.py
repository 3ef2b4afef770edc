"""Time of a forward pass and of an epoch of learned encoders."""

from skdict_sup import ElasticNet, LISTAEncoder

from .common import digits_to_encode, learned


class Encoders:
    params = (["lista", "lfista", "facnet", "slstm", "alista", "step"],)
    param_names = ("architecture",)

    def setup(self, architecture):
        self.X, self.dictionary = digits_to_encode(2048, "float32"), learned(300, "float32")
        self.encoder = LISTAEncoder(
            self.dictionary,
            architecture=architecture,
            prior=ElasticNet(lam=0.02),
            max_iter=1,
            random_state=0,
        )
        self.encoder.fit(self.X[:512])
        self.time_transform(architecture)  # compiles

    def time_transform(self, architecture):
        self.encoder.transform(self.X)

    def time_fit(self, architecture):
        self.encoder.fit(self.X[:512])
