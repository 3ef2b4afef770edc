"""The movie-review protocol, on a small artificial corpus."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "asv_benchmarks" / "papers" / "sentiment.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="no asv_benchmarks beside the tests")
FEW = ["--components=6", "--folds=2", "--words=100", "--epochs=2", "--lam", "1e-2", "--p", "0.1"]


@pytest.fixture(scope="module")
def sentiment():
    spec = importlib.util.spec_from_file_location("sentiment", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def corpus(sentiment):
    return sentiment.artificial_corpus(n_documents=120, n_words=120, n_topics=4, length=60)


def write_files(folder, texts, ratings):
    with open(folder / "ratings.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "rating"])
        for number, (text, rating) in enumerate(zip(texts, ratings, strict=True)):
            (folder / f"{number}.txt").write_text(text, encoding="utf-8")
            writer.writerow([f"{number}.txt", repr(float(rating))])


def write_reviewers(folder, texts, ratings):
    half = len(texts) // 2
    for name, rows in (("Ann+Lee", slice(half)), ("Bob+Roy", slice(half, None))):
        (folder / name).mkdir()
        lines = {"subj": texts[rows], "rating": [repr(float(r)) for r in ratings[rows]]}
        for kind, values in lines.items():
            (folder / name / f"{kind}.{name}").write_bytes(("\n".join(values) + "\n").encode())


@pytest.mark.parametrize("write", [write_files, write_reviewers])
def test_both_layouts_are_read(sentiment, corpus, tmp_path, write):
    write(tmp_path, *corpus)
    texts, ratings = sentiment.read_corpus(tmp_path)
    assert texts == corpus[0]
    np.testing.assert_array_equal(ratings, corpus[1])


def test_a_review_may_hold_bytes_that_look_like_line_breaks(sentiment, tmp_path):
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "subj.A").write_bytes(b"one\x85two\nthree\x0cfour\n")
    (tmp_path / "A" / "rating.A").write_bytes(b"0.5\n1.0\n")
    assert len(sentiment.read_corpus(tmp_path)[0]) == 2


def test_a_folder_of_neither_layout_is_refused(sentiment, tmp_path):
    with pytest.raises(ValueError, match="neither"):
        sentiment.read_corpus(tmp_path)


def test_as_many_ratings_as_reviews_are_asked_for(sentiment, tmp_path):
    (tmp_path / "subj.A").write_text("one\ntwo\n")
    (tmp_path / "rating.A").write_text("0.5\n")
    with pytest.raises(ValueError, match="2 reviews, but 1 ratings"):
        sentiment.read_corpus(tmp_path)


def test_predictive_r2_by_hand(sentiment):
    y, predicted = np.array([1.0, 2.0, 6.0]), np.array([2.0, 2.0, 4.0])
    assert sentiment.predictive_r2(y, predicted) == pytest.approx(1 - 5 / 14)
    assert sentiment.predictive_r2(y, np.full(3, 3.0)) == pytest.approx(0.0)


def test_folds_share_no_document_and_leave_none_out(sentiment):
    pairs = sentiment.folds(23, 5)
    tested = np.concatenate([test for _, test in pairs])
    assert sorted(tested) == list(range(23))
    assert all(not set(train) & set(test) for train, test in pairs)
    assert all(len(train) + len(test) == 23 for train, test in pairs)


def test_rows_are_distributions_over_the_words_of_highest_tf_idf(sentiment, corpus):
    X, seen = sentiment.distributions(corpus[0], 50)
    assert X.format == "csr"
    assert X.shape == (seen.sum(), 50)
    assert X.data.min() > 0
    np.testing.assert_allclose(np.asarray(X.sum(axis=1)).ravel(), 1.0)


def test_words_of_every_text_and_texts_without_words_are_left_out(sentiment):
    texts = ["the cat cat cat", "the dog dog", "the"]
    X, seen = sentiment.distributions(texts, 2)
    np.testing.assert_array_equal(X.toarray(), np.eye(2))
    np.testing.assert_array_equal(seen, [True, True, False])


@pytest.mark.parametrize("write", [write_files, write_reviewers])
def test_the_protocol_beats_the_mean(sentiment, corpus, tmp_path, capsys, write):
    write(tmp_path, *corpus)
    output = tmp_path / "results" / "sentiment.md"
    lines = sentiment.main([str(tmp_path), *FEW, f"--output={output}"])
    found = {name: r2 for name, r2, *_ in lines}
    assert len(found) == 4
    assert found["supervised KL codes"] > 0.2
    assert output.read_text() in capsys.readouterr().out


def test_the_protocol_is_reproducible(sentiment, corpus):
    X, ratings = sentiment.distributions(corpus[0][:60], 100)[0], corpus[1][:60]
    options = sentiment.arguments(["--artificial", *FEW, "--components=4", "--epochs=1"])
    first, second = (sentiment.protocol(X, ratings, options) for _ in range(2))
    assert [line[1] for line in first] == [line[1] for line in second]


@pytest.mark.parametrize("given", [[], ["folder", "--artificial"]])
def test_one_corpus_has_to_be_named(sentiment, given, capsys):
    with pytest.raises(SystemExit):
        sentiment.arguments(given)
    assert "either FOLDER or --artificial" in capsys.readouterr().err
