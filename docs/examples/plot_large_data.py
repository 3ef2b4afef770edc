"""
Coding and learning on a cluster
================================

:mod:`skdict_sup.parallel` codes, and learns from, arrays that do not fit in memory or that are
spread over the machines of a cluster. This example runs on a cluster of two workers within this
process, with the digits of scikit-learn; only the address of the scheduler differs for a cluster
of machines. It codes lazily, with a certificate for every code, stops a fit after some
mini-batches, and continues it from its checkpoint.

The figure shows the curve of a fit that was interrupted and continued, its atoms, and the signals
with the worst codes. It runs for less than a minute. The guide: :doc:`../user_guide/scale`.
"""

# %%
# A lazy array
# ------------
# Rows are signals, in blocks. The digits are in memory here; :doc:`../user_guide/scale` reads
# memory maps, Zarr and Parquet.

import tempfile
import warnings

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from dask.distributed import Client, LocalCluster
from sklearn.datasets import load_digits

from skdict_sup import ElasticNet, OnlineDictionaryLearning, parallel
from skdict_sup.plotting import DictionaryDisplay

warnings.filterwarnings("ignore", "batch_size=")  # digits are too few for any cluster to pay

images, _ = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
images = rng.permutation(images / np.linalg.norm(images, axis=1, keepdims=True))
X = da.from_array(images.astype(np.float32), chunks=(300, 64))

cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
client = Client(cluster)
X

# %%
# Learning, an interruption, and the rest
# ---------------------------------------
# ``fit`` divides each mini-batch into shards, which all workers code at the same time. What they
# contribute is added in a fixed order, so that results do not depend on blocks or workers. The
# mini-batches here are small, like the data; ``fit`` warns where they are too small for workers to
# be busy most of the time.
#
# A first fit, for two passes, leaves checkpoints in a folder.

prior = ElasticNet(lam=0.1)
settings = {"batch_size": 256, "shard": 64}
folder = tempfile.TemporaryDirectory()


def learner(max_iter):
    """Learner of 64 atoms."""
    return OnlineDictionaryLearning(64, prior=prior, max_iter=max_iter, tol=0, random_state=0)


first = parallel.fit(learner(2), X, checkpoint=folder.name, **settings)

# %%
# A second one, for eight passes, finds them and computes the remaining six. Its atoms are those
# of a fit without interruption, bit for bit, although that one has blocks of another size:

continued = parallel.fit(learner(8), X, checkpoint=folder.name, **settings)
whole = parallel.fit(learner(8), X.rechunk((450, 64)), **settings)
print("same bits:", np.array_equal(continued.components_, whole.components_))

# %%
# Lazy codes and their certificates
# ---------------------------------
# Nothing is computed before ``dask.compute``, which codes every block once for all that is asked
# for: here the numbers of nonzeros, objectives and duality gaps of all signals.

lazy = parallel.encode(X, whole.components_, prior=prior, certificate=True)
nonzeros, objective, gap = dask.compute(
    (lazy.code != 0).sum(axis=1), lazy.objective, lazy.duality_gap
)
print(f"{nonzeros.mean():.1f} nonzeros of 64 entries, largest duality gap {gap.max():.0e}")

# %%
# Each signal has an objective, so that those that the dictionary explains worst are found by a
# sort. Only the blocks that contain them are coded again for their reconstructions:

worst = np.argsort(-objective)[:10]
rebuilt = (lazy.code[worst] @ whole.components_).compute()

figure = plt.figure(figsize=(9.5, 5.6), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=[1.75, 1])
curve, atoms = top.subplots(1, 2, width_ratios=[1.5, 1])
passes = np.arange(1, 9)
curve.plot(passes, continued.objective_curve_, "o-", color="#5d97c5", label="continued fit")
curve.plot(passes[:2], first.objective_curve_, "o-", color="#c8553d", label="interrupted fit")
curve.set(xlabel="pass", ylabel="mean objective at coding time")
curve.legend(frameon=False)
curve.spines[["top", "right"]].set_visible(False)
DictionaryDisplay(continued.components_).plot(atoms, columns=8)
atoms.set_title("64 atoms")
panels = bottom.subplots(2, 10)
for column, row in zip(panels.T, worst, strict=True):
    column[0].set_title(f"{objective[row]:.2f}, {nonzeros[row]}", fontsize=9)
for line, signals in zip(panels, (images[worst], rebuilt), strict=True):
    for panel, signal in zip(line, signals, strict=True):
        panel.imshow(signal.reshape(8, 8), cmap="gray_r", vmin=0, vmax=0.4)
        panel.set(xticks=[], yticks=[])
panels[0, 0].set_ylabel("signal")
panels[1, 0].set_ylabel("code")
bottom.suptitle(
    "signals with the largest objectives (objective, nonzeros), and what codes rebuild"
)

client.close()
cluster.close()
folder.cleanup()
plt.show()
