"""Rated texts: those in a folder, and generated ones."""

import csv
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

TOPIC_SHARE, TOPIC_SIZE = 0.15, 1.5  # share of the words that a topic changes, and by how much
SENTIMENT_SHARE, SENTIMENT_SIZE = 0.08, 0.3  # the same for the rating
LENGTH_SPREAD = 0.45  # standard deviation of the logarithm of the lengths


def read_corpus(folder):
    """Texts and ratings of a folder, in one of two layouts.

    - `ratings.csv` with the columns file and rating, and the files that it names, one text each.
    - The scale data of Pang and Lee: a folder for each reviewer, with one review a line in
      `subj.NAME`, and its rating in the same line of `rating.NAME`.
    """
    folder = Path(folder)
    if (folder / "ratings.csv").is_file():
        with open(folder / "ratings.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        texts = [(folder / row["file"]).read_text("utf-8", errors="replace") for row in rows]
        return texts, np.array([float(row["rating"]) for row in rows])
    texts, ratings = [], []
    for path in sorted(folder.rglob("subj.*")):
        reviews, own = _lines(path), _lines(path.with_name("rating." + path.name[5:]))
        if len(reviews) != len(own):
            raise ValueError(f"{path} has {len(reviews)} reviews, but {len(own)} ratings.")
        texts += reviews
        ratings += map(float, own)
    if not texts:
        raise ValueError(f"{folder} has neither ratings.csv nor subj.NAME files.")
    return texts, np.array(ratings)


def _lines(path):
    # not splitlines: other separators occur within reviews
    return path.read_text("latin-1").rstrip("\n").split("\n")


def generated_corpus(n_documents=5006, n_words=5000, n_topics=40, length=300, noise=0.5, seed=0):
    """Texts drawn from a model of topics and of a sentiment, and their ratings.

    Frequencies of words follow Zipf's law. Topics multiply those of some words, and a document
    mixes few topics. Its sentiment multiplies the frequencies of some words by exp(a s), with a
    weight a for each word, and is in part that of its topics. The rating is the sentiment with
    noise, and lengths are log-normal.
    """
    rng = np.random.default_rng(seed)
    log_frequency = rng.permutation(-np.log(np.arange(n_words) + 2.7))
    changes = rng.random((n_topics, n_words)) < TOPIC_SHARE
    topics = log_frequency + TOPIC_SIZE * changes * rng.standard_normal((n_topics, n_words))
    topics = np.exp(topics)
    topics /= topics.sum(axis=1, keepdims=True)
    is_sentiment = rng.random(n_words) < SENTIMENT_SHARE
    word_weight = SENTIMENT_SIZE * is_sentiment * rng.standard_normal(n_words)
    mixture = rng.dirichlet(np.full(n_topics, 0.15), n_documents)
    sentiment = rng.standard_normal(n_documents)
    sentiment = sentiment + 0.6 * mixture @ rng.standard_normal(n_topics)
    sentiment = (sentiment - sentiment.mean()) / sentiment.std()
    lengths = rng.lognormal(np.log(length), LENGTH_SPREAD, n_documents).astype(int)
    words = np.array([f"w{number}" for number in range(n_words)])
    texts = []
    for weights, size, own in zip(mixture, np.maximum(lengths, 5), sentiment, strict=True):
        frequency = (weights @ topics) * np.exp(own * word_weight)
        counts = rng.multinomial(size, frequency / frequency.sum())
        texts.append(" ".join(np.repeat(words, counts)))
    return texts, 3.0 + sentiment + noise * rng.standard_normal(n_documents)


def distributions(texts, n_words):
    """Normalised counts of the words with the highest tf-idf, and which texts have any."""
    counts = CountVectorizer().fit_transform(texts)
    n_with = np.bincount(counts.indices, minlength=counts.shape[1])
    score = np.asarray(counts.sum(axis=0)).ravel() * np.log(len(texts) / n_with)
    counts = counts[:, np.sort(np.argsort(-score, kind="stable")[:n_words])]
    seen = np.asarray(counts.sum(axis=1)).ravel() > 0
    return csr_matrix(normalize(counts[seen], norm="l1")), seen
