"""CUDA kernels: their bodies as C++ programs against the references, and their compilation."""

import ast
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from long_problems import every_dtype
from problems import unit_atoms

import skdict_sup.kernels as kernels
from skdict_sup.kernels._rank import min_relative_pivot
from skdict_sup.kernels._registry import REGISTRY
from skdict_sup.kernels._weights import split_weights

FOLDER = Path(kernels.__file__).parent / "_cuda"
ON_A_GPU = sorted({v.kernel for v in REGISTRY if v.backend == "cuda"})
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{FOLDER}"]


def built(folder, *more):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    program = folder / "cuda_host"
    source = Path(__file__).parents[1] / "support" / "cuda_host.cpp"
    subprocess.run([compiler, *FLAGS, *more, str(source), "-o", str(program)], check=True)
    return program


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return built(tmp_path_factory.mktemp("plain"), "-O1")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The program with a thread sanitizer, which sees all accesses that are written down."""
    return built(tmp_path_factory.mktemp("watched"), "-O0", "-g", "-fsanitize=thread")


def run(program, kernel, dtype, lanes, shapes, *inputs):
    """Results of a kernel's body, for inputs in the order of cuda_host.cpp."""
    source, target = program.parent / "inputs", program.parent / "results"
    flat = [np.ravel(np.asarray(part, dtype=np.float64)) for part in inputs]
    np.concatenate(flat).tofile(source)
    name = np.dtype(dtype).name
    subprocess.run([program, kernel, name, str(lanes), source, target], check=True)
    values, results = np.fromfile(target), []
    for shape in shapes:
        size = int(np.prod(shape))
        results.append(values[:size].reshape(shape))
        values = values[size:]
    assert not len(values)
    return results


def codes(  # noqa: PLR0913 - as the kernel takes them
    program, dtype, lanes, gram, corr, lam, lam2, positive, init=None, capacity=None
):
    n, p = corr.shape
    counts = n, p, capacity or p + 1, 100 + 10 * p, positive, init is not None, np.ndim(lam) > 0
    lam, weights = split_weights(lam) if np.ndim(lam) else (lam, [])
    bounds = lam, lam2, min_relative_pivot(np.finfo(dtype).eps)
    arrays = gram, corr, [] if init is None else init, weights
    shapes = (n, p), (n, p), (n,)
    return run(program, "elastic_net_codes", dtype, lanes, shapes, *counts, *bounds, *arrays)


def degenerate(kind, rng, p, m):
    """Atoms: generic, repeated and opposite, alike, with one of zeros, on a grid."""
    D = unit_atoms(rng, p, m)
    if kind == "repeated":
        D[1], D[2] = D[0], -D[0]
    if kind == "alike":
        D = np.abs(D)
    if kind == "zero":
        D[-1] = 0
    if kind == "grid":
        D = np.round(2 * D) / 2
    return D


def objective(gram, corr, code, lam, lam2):
    smooth = (code * (0.5 * code @ gram - corr)).sum(axis=1)
    return smooth + 0.5 * lam2 * (code**2).sum(axis=1) + (lam * np.abs(code)).sum(axis=1)


@pytest.mark.parametrize("lanes", [1, 3])
@every_dtype
@pytest.mark.parametrize("kind", ["generic", "repeated", "alike", "zero", "grid"])
def test_codes_of_the_body_are_those_of_the_reference(program, kind, dtype, lanes):
    for seed in range(12 if lanes == 1 else 3):
        rng = np.random.default_rng(seed)
        p, m = rng.integers(4, 40, size=2)
        D = degenerate(kind, rng, p, m)
        X = rng.normal(size=(6, m))
        X[0] = 0
        gram, corr = (D @ D.T).astype(dtype), (X @ D.T).astype(dtype)
        lam, lam2 = 10.0 ** rng.uniform(-3, 0), float(rng.choice([0.0, 0.1]))
        positive = bool(seed % 2)
        weighted = seed % 4 >= 2
        if weighted:
            lam = (lam * rng.uniform(0.1, 1, p)).astype(dtype)
            lam[rng.random(p) < 0.1] = 0
        init = None
        if seed % 3 == 2:
            init = (rng.normal(size=(6, p)) * (rng.random((6, p)) < 0.3)).astype(dtype)
        problem = gram, corr, lam, lam2, positive, init
        code, slope, n_iter = codes(program, dtype, lanes, *problem)
        expected, *_ = kernels.elastic_net_codes.reference(*problem)
        wide = gram.astype(float), corr.astype(float)
        best = objective(*wide, expected.astype(float), lam, lam2)
        found = objective(*wide, code, lam, lam2)
        slack = 1e-13 if dtype == np.float64 else 1e-5
        assert (found - best <= slack * (1 + np.abs(best))).all()
        assert (code >= 0).all() or not positive
        size = np.abs(corr).max() + 1
        rounding = 64 * np.finfo(dtype).eps * size
        np.testing.assert_allclose(slope, corr - code @ wide[0], rtol=0, atol=rounding)
        assert (n_iter >= 0).all()
        assert not code[0].any() or weighted  # free atoms that repeat may cancel


@pytest.mark.parametrize("lanes", [1, 3])
def test_signals_without_room_say_so(program, lanes):
    rng = np.random.default_rng(0)
    D = unit_atoms(rng, 20, 30)
    X = rng.normal(size=(8, 30))
    gram, corr = D @ D.T, X @ D.T
    whole, _, _ = codes(program, np.float64, 1, gram, corr, 0.3, 0.0, False)
    active = (whole != 0).sum(axis=1)
    room = int(np.median(active))
    code, _, n_iter = codes(program, np.float64, lanes, gram, corr, 0.3, 0.0, False, None, room)
    assert (n_iter[active >= room] == -1).all()
    done = n_iter >= 0
    assert done.any()
    np.testing.assert_allclose(code[done], whole[done], atol=1e-12)


def systems(seed, dtype):
    """Systems of 12 atoms, and of three that repeat one of them."""
    rng = np.random.default_rng(seed)
    D = unit_atoms(rng, 12, 20)
    D = np.concatenate([D, D[:2], -D[2:3]])
    support = rng.random((7, 15)) < 0.4
    support[0], support[1] = False, True
    rhs = rng.normal(size=(7, 15))
    return [(D @ D.T).astype(dtype), support, rhs.astype(dtype)], rng


@pytest.mark.parametrize("lanes", [1, 3])
@every_dtype
@pytest.mark.parametrize("curvature", [0.0, 0.3, "each"])
def test_systems_of_the_body_are_those_of_the_reference(program, curvature, dtype, lanes):
    for seed in range(3):
        (gram, support, rhs), rng = systems(seed, dtype)
        each = curvature == "each"
        c = np.exp(rng.uniform(-3, 30, size=rhs.shape)).astype(dtype) if each else curvature
        tolerance = min_relative_pivot(np.finfo(dtype).eps)
        inputs = 7, 15, each, tolerance, gram, c, support, rhs
        (x,) = run(program, "support_solve", dtype, lanes, [(7, 15)], *inputs)
        expected = kernels.support_solve.reference(gram, c, support, rhs)
        scale = np.abs(expected).max(axis=1, keepdims=True) + 1e-30
        rounding = 1e4 * np.finfo(dtype).eps
        np.testing.assert_allclose(x / scale, expected / scale, rtol=0, atol=rounding)
        assert not x[~support].any()


@pytest.mark.parametrize("lanes", [1, 3])
@every_dtype
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("p", [1.0, 1e-2, 1e-4])
def test_kl_codes_of_the_body_are_those_of_the_reference(program, p, positive, dtype, lanes):
    for seed, one in enumerate((True, False)):
        rng = np.random.default_rng(seed)
        D, X = unit_atoms(rng, 12, 20), rng.normal(size=(5, 20))
        X[0] = 0
        gram, corr = (D @ D.T).astype(dtype), (X @ D.T).astype(dtype)
        sq_norm = (X * X).sum(axis=1).astype(dtype)
        mean = (p * np.exp(rng.normal(size=1 if one else 12))).astype(dtype)
        init = np.broadcast_to(mean if positive else 0 * mean, corr.shape).astype(dtype)
        tol = 1e-10 if dtype == np.float64 else 1e-5
        counts = 5, 12, len(mean), 200, positive
        inputs = *counts, 0.1, tol, gram, corr, sq_norm, mean, init
        code, slope, n_iter = run(
            program, "kl_codes", dtype, lanes, [(5, 12), (5, 12), (5,)], *inputs
        )
        expected, _, steps = kernels.kl_codes.reference(
            gram, D.astype(dtype), corr, sq_norm, 0.1, mean, positive, tol, init, 200
        )
        np.testing.assert_allclose(code, expected, rtol=1e3 * tol, atol=1e2 * tol)
        np.testing.assert_allclose(slope, corr - code @ gram, rtol=0, atol=1e2 * tol)
        assert (n_iter <= np.asarray(steps) + 3).all()


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("mean", [0.3, 1e-2, 1e-5])
def test_weak_kl_priors_far_from_their_mean_are_solved_by_the_body(program, mean, positive):
    lam, tol = 1.2e-3, 1e-10
    for seed in range(3):
        rng = np.random.default_rng(seed)
        D, X = unit_atoms(rng, 20, 10), rng.normal(size=(12, 10))
        gram, corr, sq_norm = D @ D.T, X @ D.T, (X * X).sum(axis=1)
        init = np.full(corr.shape, mean if positive else 0.0)
        counts = 12, 20, 1, 300, positive
        inputs = *counts, lam, tol, gram, corr, sq_norm, [mean], init
        code, _, n_iter = run(
            program, "kl_codes", np.float64, 1, [(12, 20), (12, 20), (12,)], *inputs
        )
        assert (n_iter < 200).all()
        expected, *_ = kernels.kl_codes(
            gram, D, corr, sq_norm, lam, np.array([mean]), positive, tol, init, 300
        )
        np.testing.assert_allclose(code, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("lanes", [1, 3])
@every_dtype
@pytest.mark.parametrize("positive", [False, True])
def test_atoms_of_the_body_are_those_of_the_reference(program, positive, dtype, lanes):
    rng = np.random.default_rng(0)
    D, W, X = unit_atoms(rng, 9, 13), rng.normal(size=(50, 9)), rng.normal(size=(50, 13))
    W[:, 4] = 0
    D, A, B = (a.astype(dtype) for a in (D, W.T @ W, W.T @ X))
    (found,) = run(program, "atom_update", dtype, lanes, [(9, 13)], 9, 13, positive, D, A, B)
    expected = kernels.atom_update.reference(D, A, B, positive)
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(found[4], D[4])


def test_no_lane_reads_what_another_writes(watched):
    rng = np.random.default_rng(0)
    D, X = degenerate("repeated", rng, 14, 9), rng.normal(size=(4, 9))
    gram, corr = D @ D.T, X @ D.T
    codes(watched, np.float64, 3, gram, corr, 0.05, 0.0, False)
    warm = np.where(rng.random((4, 14)) < 0.5, rng.normal(size=(4, 14)), 0.0)
    codes(watched, np.float32, 3, gram, corr, 0.05, 0.0, True, warm)
    (G, support, rhs), _ = systems(0, np.float64)
    inputs = 7, 15, False, 1e-12, G, 0.1, support, rhs
    run(watched, "support_solve", np.float64, 3, [(7, 15)], *inputs)
    sq_norm = (X * X).sum(axis=1)
    inputs = 4, 14, 1, 50, False, 0.1, 1e-8, gram, corr, sq_norm, [0.01], np.zeros((4, 14))
    run(watched, "kl_codes", np.float64, 3, [(4, 14), (4, 14), (4,)], *inputs)
    W = rng.normal(size=(30, 14))
    inputs = 14, 9, True, D, W.T @ W, W.T @ rng.normal(size=(30, 9))
    run(watched, "atom_update", np.float64, 3, [(14, 9)], *inputs)


@pytest.mark.parametrize("name", ON_A_GPU)
def test_every_cuda_row_names_a_launcher_and_a_kernel(name):
    source = (FOLDER / f"{name}.cu").read_text()
    assert f"__global__ void {name}(" in source
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    functions = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
    reference = getattr(kernels, name).reference
    code = reference.__code__
    expected = list(code.co_varnames[: code.co_argcount])
    assert [a.arg for a in functions[name].args.args] == expected


def declared(name):
    """Parameters of the __global__ function in a source."""
    source = (FOLDER / f"{name}.cu").read_text()
    after = source.split(f"__global__ void {name}(")[1]
    return after.split(") {")[0].split(",")


@pytest.mark.parametrize("name", ON_A_GPU)
def test_launchers_pass_as_many_arguments_as_kernels_take(name):
    # `arguments` is made of tuples in the launcher; the last of them goes to `launch`
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    count = 0
    for node in ast.walk(tree):
        target = getattr(node, "target", None) or (getattr(node, "targets", None) or [None])[0]
        if isinstance(target, ast.Name) and target.id == "arguments":
            starred = sum(isinstance(e, ast.Starred) for e in node.value.elts)
            count += len(node.value.elts) + starred  # `*moments` are two
    assert count == len(declared(name))


def quickly(compiler):
    """Options under which nvcc makes all code, and does not optimise it."""
    known = subprocess.run([compiler, "--help"], capture_output=True, text=True, check=True).stdout
    # of older ones the assembler alone can be told
    return ["--Ofast-compile", "max"] if "--Ofast-compile" in known else ["-Xptxas", "-O0"]


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_every_source_compiles(architecture, tmp_path):
    compiler = shutil.which("nvcc")
    if compiler is None:
        pytest.skip("no nvcc")
    lines = [f'#include "{name}.cu"' for name in ON_A_GPU]
    uses = ", ".join(f"(void *){name}<{t}>" for name in ON_A_GPU for t in ("float", "double"))
    source = tmp_path / "all.cu"
    source.write_text("\n".join([*lines, f"void *used[] = {{{uses}}};"]))
    command = [compiler, "-std=c++17", f"-arch={architecture}", *quickly(compiler), "-cubin"]
    result = subprocess.run(
        [*command, f"-I{FOLDER}", str(source), "-o", str(tmp_path / "all.cubin")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    image = (tmp_path / "all.cubin").read_bytes()
    for name in ON_A_GPU:
        assert image.count(name.encode()) >= 2, f"{name} is not among the kernels"


@pytest.mark.parametrize("name", ON_A_GPU)
def test_the_compiler_that_cupy_calls_takes_every_source(name):
    nvrtc = pytest.importorskip("cupy", reason="cupy is not installed").cuda.nvrtc
    try:
        nvrtc.getVersion()
    except Exception as error:  # whatever a missing library raises
        pytest.skip(f"no NVRTC: {error}")
    program = nvrtc.createProgram((FOLDER / f"{name}.cu").read_text(), f"{name}.cu", (), ())
    nvrtc.addNameExpression(program, f"{name}<float>")
    nvrtc.addNameExpression(program, f"{name}<double>")
    options = "-std=c++17", f"-I{FOLDER}", "--gpu-architecture=sm_90"
    nvrtc.compileProgram(program, options)
    assert name in nvrtc.getLoweredName(program, f"{name}<float>")
    assert nvrtc.getCUBIN(program)
