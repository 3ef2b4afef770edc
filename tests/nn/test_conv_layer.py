"""Codes of patches are those of unfolded patches, whatever their places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch.nn.functional import unfold
from torch_problems import conv, gradients, normal, with_atoms

from skdict_sup import KL, ElasticNet, encode
from skdict_sup.nn import ConvSparseFactorization, _patches, sparse_code

EN = ElasticNet(0.2, 0.1)
N_COMPONENTS = 5


def unfolded(images, layer):
    """Patches of images as rows, by torch."""
    places = layer.kernel_size, layer.dilation, layer.padding, layer.stride
    patches = unfold(images, *places).transpose(1, 2)
    rows = patches.reshape(-1, patches.shape[2])
    return rows - rows.mean(dim=1, keepdim=True) if layer.center else rows


def by_unfolding(images, layer, size):
    """Codes and mean objective of unfolded patches."""
    rows = unfolded(images, layer)
    code = sparse_code(rows, layer.dictionary, layer.prior)
    residual = rows - code.detach() @ layer.dictionary
    prior = EN.lam * code.detach().abs().sum(1) + 0.5 * EN.lam2 * code.detach().square().sum(1)
    loss = (0.5 * residual.square().sum(dim=1) + prior).mean()
    return code.reshape(len(images), *size, -1).permute(0, 3, 1, 2), loss


@st.composite
def convolutions(draw):
    """Arguments of a convolution, and the shape of an input that it accepts."""
    pairs = {
        name: (draw(st.integers(low, high)), draw(st.integers(low, high)))
        for name, low, high in (
            ("kernel_size", 1, 3),
            ("stride", 1, 3),
            ("padding", 0, 2),
            ("dilation", 1, 2),
        )
    }
    sizes = []
    for kernel, dilation, padding in zip(
        *(pairs[name] for name in ("kernel_size", "dilation", "padding")), strict=True
    ):
        least = max(1, (kernel - 1) * dilation + 1 - 2 * padding)
        sizes.append(draw(st.integers(least, least + 4)))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 3)), *sizes
    return pairs, shape


@given(convolutions(), st.booleans(), st.integers(0, 2**32 - 1))
def test_codes_and_gradients_are_those_of_unfolded_patches(drawn, center, seed):
    places, shape = drawn
    layer = ConvSparseFactorization(
        shape[1], N_COMPONENTS, prior=EN, center=center, dtype=torch.float64, **places
    )
    with_atoms(layer, seed=seed)
    images = normal(*shape, seed=seed).requires_grad_()
    plain = torch.nn.Conv2d(shape[1], N_COMPONENTS, dtype=torch.float64, **places)
    size = plain(images).shape[2:]
    code = layer(images)
    assert code.shape == (shape[0], N_COMPONENTS, *size)
    arrays = unfolded(images, layer).detach().numpy(), layer.dictionary.detach().numpy()
    expected = encode(*arrays, prior=EN).code.reshape(shape[0], *size, -1)
    found = code.detach().permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    cotangent = normal(*code.shape, seed=seed + 1)
    code_there, loss_there = by_unfolding(images, layer, size)
    inputs = images, layer.dictionary
    found = gradients((cotangent * code).sum() + layer.reconstruction_loss(), *inputs)
    expected = gradients((cotangent * code_there).sum() + loss_there, *inputs)
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-10)


@given(convolutions(), st.integers(0, 2**32 - 1))
def test_one_image_needs_no_batch(drawn, seed):
    places, shape = drawn
    layer = conv(shape[1], N_COMPONENTS, **places)
    images = normal(*shape, seed=seed)
    codes = layer(images)
    plain = torch.nn.Conv2d(shape[1], N_COMPONENTS, dtype=torch.float64, **places)
    for image, code in zip(images, codes, strict=True):
        found = layer(image)
        assert found.shape == plain(image).shape
        assert torch.equal(found, code)


@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)
)
def test_signals_are_images_of_height_one(channels, kernel, stride, padding, dilation):
    places = {"stride": stride, "padding": padding, "dilation": dilation}
    length = max(1, (kernel - 1) * dilation + 1 - 2 * padding) + 5
    layer = conv(channels, N_COMPONENTS, kernel_size=(kernel,), **places)
    signals = normal(3, channels, length).requires_grad_()
    code = layer(signals)
    plain = torch.nn.Conv1d(channels, N_COMPONENTS, kernel, dtype=torch.float64, **places)
    assert code.shape == plain(signals).shape
    assert layer(signals[0]).shape == plain(signals[0]).shape
    assert torch.equal(layer(signals[0]), code[0])
    flat = {"stride": (1, stride), "padding": (0, padding), "dilation": (1, dilation)}
    images = conv(channels, N_COMPONENTS, kernel_size=(1, kernel), **flat)
    other = images(signals[:, :, None])[:, :, 0]
    assert torch.equal(code, other)
    cotangent = normal(*code.shape, seed=1)
    found, expected = (gradients((cotangent * c).sum(), signals) for c in (code, other))
    np.testing.assert_array_equal(found[0], expected[0])


def test_kernels_are_views_of_atoms_in_the_order_of_a_convolution():
    layer = conv(2, N_COMPONENTS, kernel_size=(2, 3), prior=ElasticNet(0.0, 1e4))
    images = normal(2, 2, 4, 5)
    kernels = layer.dictionary.detach().view(N_COMPONENTS, 2, 2, 3)
    # with a heavy ridge, codes are correlations divided by it
    expected = torch.nn.functional.conv2d(images, kernels) / 1e4
    torch.testing.assert_close(layer(images), expected, rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize(
    "arrange",
    [
        lambda images: images.to(memory_format=torch.channels_last),
        lambda images: images.transpose(2, 3).contiguous().transpose(2, 3),
        lambda images: torch.cat([images, images], dim=3)[..., :5],
        lambda images: images[:1].expand(3, -1, -1, -1),
    ],
    ids=["channels_last", "transposed", "sliced", "expanded"],
)
@pytest.mark.parametrize("padding", [0, 1])
def test_the_order_of_entries_in_memory_changes_nothing(arrange, padding):
    layer = conv(kernel_size=(3, 2), padding=padding, stride=(2, 1))
    arranged = arrange(normal(3, 2, 6, 5)).requires_grad_()
    plain = arranged.detach().contiguous().requires_grad_()
    codes = layer(arranged), layer(plain)
    assert torch.equal(*codes)
    cotangent = normal(*codes[0].shape, seed=1)
    found = gradients((cotangent * codes[0]).sum(), arranged, layer.dictionary)
    expected = gradients((cotangent * codes[1]).sum(), plain, layer.dictionary)
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, other)


# --- memory ----------------------------------------------------------------------------------


@pytest.mark.parametrize("max_entries", [1, 130, 400, 900])
@pytest.mark.parametrize("prior", [EN, KL(0.1, 0.1)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_bands_of_any_size_give_the_same_codes(max_entries, prior, dtype, monkeypatch):
    layer = conv(kernel_size=3, padding=1, stride=(2, 1), center=True, prior=prior).to(dtype)
    images = normal(3, 2, 7, 6, dtype=dtype).requires_grad_()
    places, entries = layer._geometry, 2 * 9
    width = places.output_size(images.shape)[1]

    def passes():
        code = layer(images)
        cotangent = normal(*code.shape, seed=2, dtype=dtype)
        loss = (cotangent * code).sum() + layer.reconstruction_loss()
        return code, gradients(loss, images, layer.dictionary)

    expected = passes()
    sizes, rows = [], _patches.Geometry.rows

    def counted(geometry, padded):
        found = rows(geometry, padded)
        sizes.append(found.numel())
        return found

    monkeypatch.setattr(_patches, "_MAX_ENTRIES", max_entries)
    monkeypatch.setattr(_patches.Geometry, "rows", counted)
    code, found = passes()
    assert torch.equal(code, expected[0])
    close = {"rtol": 1e-10, "atol": 1e-11} if dtype == torch.float64 else {"rtol": 1e-4}
    for mine, other in zip(found, expected[1], strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(mine / scale, other / scale, **{"atol": 1e-5} | close)
    # a band has at least one line of patches
    assert max(sizes) <= max(max_entries, width * entries)
    assert len(sizes) > 2, "there was more than one band"


def test_memory_stays_bounded_for_large_images(monkeypatch):
    sizes, rows = [], _patches.Geometry.rows

    def counted(geometry, padded):
        found = rows(geometry, padded)
        sizes.append(found.numel())
        return found[:1].expand(len(found), -1)

    monkeypatch.setattr(_patches.Geometry, "rows", counted)
    torch.manual_seed(0)
    layer = ConvSparseFactorization(8, 2, 9, prior=EN)
    layer(torch.ones(1, 8, 128, 128))
    assert len(sizes) == 3
    assert sum(sizes) == 8 * 81 * 120**2
    assert max(sizes) <= 2**22


def test_gradients_of_the_input_are_not_computed_in_vain(monkeypatch):
    def refused(*_):
        raise AssertionError("added up")

    monkeypatch.setattr(_patches.Geometry, "add", refused)
    layer = conv()
    layer(normal(2, 2, 4, 4)).sum().backward()
    assert layer.dictionary.grad.any()


def test_relative_weights_are_resolved_on_the_patches():
    layer = conv(channels=2, kernel_size=3, padding=1, prior="elastic_net", norm=1.0)
    images = normal(4, 2, 6, 5)
    code = layer(images).permute(0, 2, 3, 1).reshape(-1, 7)
    arrays = unfolded(images, layer).numpy(), layer.dictionary.detach().numpy()
    np.testing.assert_allclose(code.detach(), encode(*arrays).code, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("size", "dilation"), [(3, 1), ((5, 1), 1), (3, 2)])
def test_padding_may_be_named_as_in_a_convolution(size, dilation):
    input = normal(2, 2, 7, 6)
    for padding in ("same", "valid"):
        layer = conv(kernel_size=size, dilation=dilation, padding=padding)
        expected = torch.nn.Conv2d(2, 7, size, dilation=dilation, padding=padding)
        assert layer(input).shape == expected(input.float()).shape


@pytest.mark.parametrize("settings", [{"kernel_size": 2}, {"stride": 2}, {"padding": "full"}])
def test_named_padding_that_is_not_possible_is_refused(settings):
    arguments = {"kernel_size": 3, "padding": "same"} | settings
    with pytest.raises(ValueError, match=r"^padding must be a number of zeros"):
        ConvSparseFactorization(2, 7, **arguments)
