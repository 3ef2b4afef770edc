"""The comparison on rated texts, on a small generated corpus."""

import csv

import numpy as np
import pytest
from scripts import imported_paper, needs_scripts

pytestmark = needs_scripts
FEW = ["--components=6", "--folds=2", "--words=100", "--epochs=2", "--max-iter=4", "--lam=1e-2"]


@pytest.fixture(scope="module")
def rated_texts():
    with imported_paper("rated_texts") as module:
        yield module


@pytest.fixture(scope="module")
def corpus(rated_texts):
    return rated_texts.generated_corpus(n_documents=120, n_words=120, n_topics=4, length=60)


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
def test_both_layouts_are_read(rated_texts, corpus, tmp_path, write):
    write(tmp_path, *corpus)
    texts, ratings = rated_texts.read_corpus(tmp_path)
    assert texts == corpus[0]
    np.testing.assert_array_equal(ratings, corpus[1])


def test_a_review_may_hold_bytes_that_look_like_line_breaks(rated_texts, tmp_path):
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "subj.A").write_bytes(b"one\x85two\nthree\x0cfour\n")
    (tmp_path / "A" / "rating.A").write_bytes(b"0.5\n1.0\n")
    assert len(rated_texts.read_corpus(tmp_path)[0]) == 2


def test_a_folder_of_neither_layout_is_refused(rated_texts, tmp_path):
    with pytest.raises(ValueError, match="neither"):
        rated_texts.read_corpus(tmp_path)


def test_as_many_ratings_as_reviews_are_asked_for(rated_texts, tmp_path):
    (tmp_path / "subj.A").write_text("one\ntwo\n")
    (tmp_path / "rating.A").write_text("0.5\n")
    with pytest.raises(ValueError, match="2 reviews, but 1 ratings"):
        rated_texts.read_corpus(tmp_path)


def test_predictive_r2_by_hand(rated_texts):
    y, predicted = np.array([1.0, 2.0, 6.0]), np.array([2.0, 2.0, 4.0])
    assert rated_texts.predictive_r2(y, predicted) == pytest.approx(1 - 5 / 14)
    assert rated_texts.predictive_r2(y, np.full(3, 3.0)) == pytest.approx(0.0)


def test_folds_share_no_document_and_leave_none_out(rated_texts):
    pairs = rated_texts.folds(23)
    tested = np.concatenate([test for _, test in pairs])
    assert sorted(tested) == list(range(23))
    assert all(not set(train) & set(test) for train, test in pairs)
    assert all(len(train) + len(test) == 23 for train, test in pairs)


def test_rows_are_distributions_over_the_words_of_highest_tf_idf(rated_texts, corpus):
    X, seen = rated_texts.distributions(corpus[0], 50)
    assert X.format == "csr"
    assert X.shape == (seen.sum(), 50)
    assert X.data.min() > 0
    np.testing.assert_allclose(np.asarray(X.sum(axis=1)).ravel(), 1.0)


def test_words_of_every_text_and_texts_without_words_are_left_out(rated_texts):
    texts = ["the cat cat cat", "the dog dog", "the"]
    X, seen = rated_texts.distributions(texts, 2)
    np.testing.assert_array_equal(X.toarray(), np.eye(2))
    np.testing.assert_array_equal(seen, [True, True, False])


def test_frequencies_of_generated_words_fall_as_those_of_texts(rated_texts, corpus):
    texts, ratings = rated_texts.generated_corpus(n_documents=150, n_words=400, length=100)
    counts = np.unique(" ".join(texts).split(), return_counts=True)[1]
    shares = np.sort(counts)[::-1] / counts.sum()
    assert shares[:40].sum() > 0.4
    assert abs(ratings.mean() - 3) < 0.5
    again, _ = rated_texts.generated_corpus(n_documents=120, n_words=120, n_topics=4, length=60)
    assert again == corpus[0]


def test_the_comparison_beats_the_mean(rated_texts, corpus, tmp_path, capsys):
    write_files(tmp_path, *corpus)
    output = tmp_path / "results" / "rated_texts.md"
    output.parent.mkdir()
    lines = rated_texts.main([str(tmp_path), *FEW, f"--output={output}"])
    found = {name: r2 for name, r2, *_ in lines}
    assert list(found) == [
        "L2 regression",
        "6 atoms, unsupervised, then ridge",
        "6 atoms, supervised",
    ]
    assert found["6 atoms, supervised"] > 0.0
    page = output.read_text()
    for name, r2 in found.items():
        assert f"| {name} | {r2:.3f} |" in page
    assert "ratings" not in capsys.readouterr().err


def test_a_quick_run_makes_up_its_texts_and_writes_no_page(rated_texts, capsys):
    options = rated_texts.read_options(["--quick"])
    assert options.output is None
    assert len(rated_texts.corpus_of(options)[0]) == 120
