"""
Ratings of texts
================

Documents as counts of words are distributions: with ``transfer="softmax"``, atoms are directions
of log-probabilities of words. A dictionary is learned together with a linear model of ratings,
from texts that are drawn from topics and from words of praise and blame.

The figure compares the entries of an atom with the weights of words in the ratings; both models
predict equally well here. It runs for about 10 seconds. The guide: :doc:`../user_guide/text`. The
reference: :class:`~skdict_sup.SupervisedDictionaryRegressor`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdict_sup import SupervisedDictionaryRegressor

# %%
# Texts
# -----
#
# Words have the frequencies of Zipf's law. Each document mixes three topics, and its rating
# changes the frequencies of some words.

rng = np.random.default_rng(0)
n_documents, n_words, n_topics = 500, 300, 3
words = np.array([f"word{number}" for number in range(n_words)])
log_frequency = -np.log(np.arange(n_words) + 2.7)
changes = rng.random((n_topics, n_words)) < 0.2
topics = log_frequency + changes * rng.normal(size=(n_topics, n_words))
weight = np.where(rng.random(n_words) < 0.2, rng.normal(size=n_words), 0.0)
ratings = rng.normal(size=n_documents)
texts = []
mixtures = rng.dirichlet(np.ones(n_topics), n_documents)
for rating, mixture in zip(ratings, mixtures, strict=True):
    frequency = np.exp(mixture @ topics + 0.4 * rating * weight)
    texts.append(" ".join(rng.choice(words, 100, p=frequency / frequency.sum())))
train, test, y_train, y_test = train_test_split(texts, ratings, random_state=0)

# %%
# Two models
# ----------
#
# Counts are divided by the lengths of documents, as they come, as a sparse matrix.


def counted(model):
    return make_pipeline(CountVectorizer(), Normalizer(norm="l1"), model)


ridge = counted(RidgeCV(np.logspace(-5, 1, 13))).fit(train, y_train)
supervised = counted(
    SupervisedDictionaryRegressor(
        8, transfer="softmax", learning_rate=0.01, max_iter=10, init_max_iter=10, random_state=0
    )
).fit(train, y_train)
for name, model in (("ridge regression", ridge), ("supervised dictionary", supervised)):
    print(f"{name}: R2 {model.score(test, y_test):.3f} on held-out documents")

# %%
# Words of a dictionary
# ---------------------
#
# The atom with the largest coefficient raises the probabilities of words that the texts use for
# praise or for blame.

regressor, vectorizer = supervised[-1], supervised[0]
atom = int(np.argmax(np.abs(regressor.coef_[0])))
numbers = [int(word.removeprefix("word")) for word in vectorizer.get_feature_names_out()]
sign = np.sign(regressor.coef_[0, atom])
plt.scatter(weight[numbers], sign * regressor.components_[atom], s=8)
plt.xlabel("weight of a word in the ratings")
plt.ylabel("entry of the atom")
plt.title("The atom with the largest coefficient")
plt.show()
