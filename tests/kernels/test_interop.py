"""Tensors in host memory: the compiled kernels take them without copies, and give tensors back."""

import numpy as np
import pytest
from learners import classifier, digits
from problems import unit_atoms

import skdict_sup.kernels as kernels
from skdict_sup import ElasticNet, code_vjp, encode
from skdict_sup.kernels import _interop, _registry
from skdict_sup.kernels._samples import sample_calls

torch = pytest.importorskip("torch")


def problem(seed=0, n=7, p=12, m=9):
    rng = np.random.default_rng(seed)
    D = unit_atoms(rng, p, m)
    return D, rng.normal(size=(n, m)), rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.3)


def tensors(arguments):
    return [torch.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in arguments]


@pytest.mark.parametrize("name", sorted(sample_calls()))
def test_tensors_have_the_results_of_numpy_bit_for_bit(name):
    *_, arguments = sample_calls()[name]
    expected, found = (getattr(kernels, name)(*a) for a in (arguments, tensors(arguments)))
    if not isinstance(expected, tuple):
        expected, found = (expected,), (found,)
    for ours, theirs in zip(expected, found, strict=True):
        if np.asarray(ours).dtype.kind == "f":
            assert isinstance(theirs, torch.Tensor)
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_every_kernel_for_numpy_takes_tensors():
    rows = [v for v in _registry.REGISTRY if v.backend == "numba"]
    for usable in (_interop.numpy_floats, _interop.torch_host_floats):
        assert sorted(v.kernel for v in rows if v.usable is usable) == sorted(sample_calls())


def test_nothing_is_copied_on_the_way():
    seen = []

    def watch(array):
        seen.append(array)
        return array

    tensor = torch.ones(3, 4, dtype=torch.float64)
    back = _interop.wrap_for_torch_host(watch)(tensor)
    assert seen[0].ctypes.data == tensor.data_ptr() == back.data_ptr()


def test_no_kernel_sees_a_graph():
    D, X, _ = problem()
    plain = encode(torch.from_numpy(X), torch.from_numpy(D), prior=ElasticNet(0.1)).code
    followed = torch.from_numpy(X).requires_grad_()
    with pytest.warns(UserWarning, match="code_vjp"):
        code = encode(followed, torch.from_numpy(D), prior=ElasticNet(0.1)).code
    assert torch.equal(code, plain)
    assert not code.requires_grad
    gradients = code_vjp(X, D, plain.numpy(), np.ones_like(plain), prior=ElasticNet(0.1))
    from_tensors = code_vjp(
        torch.from_numpy(X),
        torch.from_numpy(D),
        plain,
        torch.ones_like(plain),
        prior=ElasticNet(0.1),
    )
    np.testing.assert_allclose(from_tensors.dictionary.numpy(), gradients.dictionary, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.int64])
def test_other_dtypes_are_not_passed_to_kernels_for_numpy(dtype):
    assert not _interop.torch_host_floats(torch.zeros(2, dtype=dtype))
    assert not _interop.torch_device_floats(torch.zeros(2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_of_tensors_have_the_codes_of_numpy_bit_for_bit(dtype):
    D, X, _ = (a.astype(dtype) for a in problem(n=700, p=30, m=20))
    expected = encode(X, D, prior=ElasticNet(0.1), n_jobs=1)
    for n_jobs in (1, 2):
        found = encode(
            torch.from_numpy(X), torch.from_numpy(D), prior=ElasticNet(0.1), n_jobs=n_jobs
        )
        for name, array in expected.arrays().items():
            theirs = getattr(found, name)
            assert isinstance(theirs, torch.Tensor)
            np.testing.assert_array_equal(theirs.numpy(), array)


def test_tensors_have_the_fit_of_numpy_whatever_the_order():
    X, y = digits(60, n_classes=3)
    model = classifier().fit(X, y)
    order = np.random.default_rng(0).permutation(60)
    other = classifier().fit(torch.from_numpy(X[order]), y[order])
    np.testing.assert_allclose(other.components_.numpy(), model.components_, rtol=1e-9, atol=1e-11)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_kernels_run_in_the_order_of_the_stream_that_is_current():
    pytest.importorskip("cupy")
    D, X, _ = problem(n=3000)
    expected = encode(X, D, prior=ElasticNet(0.1)).code
    there = torch.asarray(X, device="cuda")
    torch.cuda.synchronize()
    for stream in (torch.cuda.default_stream(), torch.cuda.Stream()):
        with torch.cuda.stream(stream):
            signals = (there + 1.0) - 1.0  # made on this stream, just before
            found = encode(signals, torch.asarray(D, device="cuda"), prior=ElasticNet(0.1)).code
            assert torch.all(torch.isfinite(found))
            np.testing.assert_allclose(found.cpu().numpy(), expected, atol=1e-9)
