"""What a new process pays: the import, and the first call, with kernels compiled or not."""

import numpy as np

from skdict_sup import encode

BASE = "import sklearn.decomposition"


class Startup:
    def setup(self):
        encode(np.eye(2), np.eye(2))  # leaves the compiled kernels on disk

    def timeraw_import(self):
        return "import skdict_sup", BASE

    def timeraw_import_estimators(self):
        return "from skdict_sup import OnlineDictionaryLearning", BASE

    def timeraw_first_call(self):
        return (
            "encode(X, X)",
            f"{BASE}; import numpy; X = numpy.eye(2); from skdict_sup import encode",
        )

    def timeraw_compilation(self):
        folder = "import os, tempfile; os.environ['NUMBA_CACHE_DIR'] = tempfile.mkdtemp()"
        return (
            "encode(X, X)",
            f"{folder}; {BASE}; import numpy; X = numpy.eye(2); from skdict_sup import encode",
        )

    timeraw_compilation.number = timeraw_compilation.repeat = 1
    timeraw_compilation.timeout = 300
