"""Time of a forward and a backward pass of the layers for PyTorch."""

from skdict_sup import ElasticNet


class SparseFactorization:
    params = (["float32", "float64"], [1, 64, 256, 4096])
    param_names = ("dtype", "batch")

    def setup(self, dtype, batch):
        try:
            import torch

            from skdict_sup import nn
        except ImportError:
            raise NotImplementedError from None  # asv leaves the benchmark out
        torch.manual_seed(0)
        self.layer, shape = self.made(nn, batch, getattr(torch, dtype))
        self.input = torch.rand(shape, dtype=getattr(torch, dtype), requires_grad=True)
        self.time_forward_and_backward(dtype, batch)  # compiles

    @staticmethod
    def made(nn, batch, dtype):
        """A layer, and the shape of its input."""
        return nn.SparseFactorization(784, 300, prior=ElasticNet(1.0), dtype=dtype), (batch, 784)

    def time_forward_and_backward(self, dtype, batch):
        self.layer.zero_grad()
        self.layer(self.input).square().sum().backward()


class ConvSparseFactorization(SparseFactorization):
    params = (["float32", "float64"], [1, 16, 64])

    @staticmethod
    def made(nn, batch, dtype):
        prior = ElasticNet(0.3)
        return nn.ConvSparseFactorization(1, 20, 5, prior=prior, dtype=dtype), (batch, 1, 28, 28)
