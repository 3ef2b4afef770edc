"""Code blocks of pages whose caption names a requirement: packages, image files or a cluster."""

import numpy as np
import pytest
import sklearn.datasets
from page_code import ROOT, blocks_with_needs, few_digits, pages, run
from pictures import as_bytes, picture
from PIL import Image

from skdict_sup import OnlineDictionaryLearning, SupervisedDictionaryClassifier

GUIDE = ROOT / "docs" / "user_guide"


def codes(page, needs):
    """Blocks of a page that need the same."""
    return [code for needed, code in blocks_with_needs(page) if needed == needs]


def with_changes(code, changes):
    """Code with every one of some changes, all of which have to be in it."""
    for old, new in changes.items():
        assert old in code
        code = code.replace(old, new)
    return code


@pytest.fixture
def digits(monkeypatch, tmp_path):
    """Few digits in place of all, in a folder of its own."""
    monkeypatch.setattr(sklearn.datasets, "load_digits", few_digits)
    monkeypatch.chdir(tmp_path)
    return few_digits()


@pytest.fixture
def scale(digits):
    """Names that the page about large data has defined, for few digits."""
    da = pytest.importorskip("dask.array")
    parallel = pytest.importorskip("skdict_sup.parallel")
    X, _ = digits
    learner = OnlineDictionaryLearning(n_components=4, max_iter=1, random_state=0).fit(X)
    names = {"da": da, "dask": pytest.importorskip("dask"), "parallel": parallel}
    return names | {
        "X": da.from_array(X, chunks=(20, 64)),
        "learner": learner,
        "__name__": "scale",
    }


def test_all_of_them_are_run_here():
    needs = {page.name: {n for n, _ in blocks_with_needs(page)} for page in pages()}
    assert {name: found for name, found in needs.items() if found} == {
        "README.md": {"needs-pillow"},
        "nn.rst": {"needs skorch"},
        "scale.rst": {
            "needs zarr",
            "needs dask[dataframe] and pyarrow",
            "starts processes on this machine",
            "needs a cluster",
        },
    }


def test_images_in_folders_become_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, label in enumerate(("cat", "cat", "dog")):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(as_bytes(picture((30, 40), number))).save(folder / f"{number}.png")
    (code,) = codes(ROOT / "README.md", "needs-pillow")
    run(code, {}, "README.md")
    with np.load("photos.npz") as file:
        assert file["x"].shape == (3, 28, 28)
        assert list(file["y"]) == ["cat", "cat", "dog"]


def test_networks_in_pipelines_and_searches(digits):
    pytest.importorskip("torch")
    pytest.importorskip("skorch")
    names = {"__name__": "nn"}
    few = {"1200": "45"}
    search, callback = codes(GUIDE / "nn.rst", "needs skorch")
    search = with_changes(
        search, {**few, "n_components=50": "n_components=4", "epochs=10": "epochs=2"}
    )
    run(search, names, "nn.rst")
    assert names["search"].best_estimator_.predict(digits[0].astype(np.float32)).shape == (60,)
    before = names["pipeline"][-1].module_[0].dictionary.detach().clone()
    run(with_changes(callback, few), names, "nn.rst")
    assert not (names["pipeline"][-1].module_[0].dictionary == before).all()


def test_zarr(scale):
    pytest.importorskip("zarr")
    scale["X"].to_zarr("signals.zarr")
    (code,) = codes(GUIDE / "scale.rst", "needs zarr")
    run(code, scale, "scale.rst")
    found = scale["da"].from_zarr("codes.zarr").compute()
    np.testing.assert_array_equal(found, scale["learner"].transform(few_digits()[0]))


def test_parquet(scale, digits):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pytest.importorskip("dask.dataframe", exc_type=ImportError)
    X, y = digits
    table = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(X.shape[1])])
    table.assign(label=y).to_parquet("signals.parquet")
    (code,) = codes(GUIDE / "scale.rst", "needs dask[dataframe] and pyarrow")
    run(code, scale, "scale.rst")
    np.testing.assert_array_equal(scale["X"].compute(), X)
    np.testing.assert_array_equal(scale["y"].compute(), y)


# batches of so few digits are too small for a cluster, which the block does not care about
@pytest.mark.filterwarnings("ignore:batch_size=.* gives 2 threads of the cluster")
def test_clusters(scale, digits, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(scale["parallel"], "warm_up", lambda dtype: None)  # starts a process
    (code,) = codes(GUIDE / "scale.rst", "starts processes on this machine")
    small = {
        "n_workers=2, threads_per_worker=4": 'processes=False, dashboard_address=":0"',
        "16_384": "32",
    }
    scale["__name__"] = "__main__"
    run(with_changes(code, small), scale, "scale.rst")
    assert scale["cluster"].status == distributed.Status.closed
    with distributed.LocalCluster(processes=False, dashboard_address=":0") as cluster:
        pytest.importorskip("zarr")
        fit, search = codes(GUIDE / "scale.rst", "needs a cluster")
        scale["X"].to_zarr("signals.zarr")
        own = {
            '"tcp://scheduler:8786"': f'"{cluster.scheduler_address}"',
            "s3://bucket/": "",
            "16_384": "32",
        }
        run(with_changes(fit, own), scale, "scale.rst")
        with scale["client"]:
            found = scale["da"].from_zarr("codes.zarr").compute()
            expected = scale["learner"].transform(digits[0])
            np.testing.assert_array_equal(found, expected)
            scale |= {"load_digits": few_digits}
            scale |= {"SupervisedDictionaryClassifier": SupervisedDictionaryClassifier}
            run(with_changes(search, {"50, max_iter=5": "4, max_iter=1"}), scale, "scale.rst")
            assert scale["search"].best_params_["nu"] in (1e-3, 1e-2, 1e-1)
