"""The order of the examples in the gallery: from first steps to larger subjects."""

ORDER = [
    "plot_supervised_digits.py",
    "plot_few_labels.py",
    "plot_lam_path.py",
    "plot_hypergradient.py",
    "plot_kl_grid_search.py",
    "plot_inpainting.py",
    "plot_denoising.py",
    "plot_inverse_halftoning.py",
    "plot_linked_dictionaries.py",
    "plot_colour_features.py",
    "plot_rated_texts.py",
    "plot_learned_encoders.py",
    "plot_sparse_factorization_layer.py",
    "plot_large_data.py",
]


class Order:
    """Key that sorts the files of a folder."""

    def __init__(self, folder):
        pass

    def __call__(self, name):
        return ORDER.index(name) if name in ORDER else len(ORDER)
