"""Sphinx configuration of the skdict_sup documentation."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # document this tree, whatever is installed

project = "skdict_sup"
author = "The skdict_sup developers"
copyright = f"2026, {author}"
release = installed_version("skdict-sup")
version = ".".join(release.split(".")[:2])

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
# Pages of results are read in the repository, beside the scripts that write them.
exclude_patterns = ["_build", "results/*.md"]
default_role = "literal"
nitpicky = False

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings give the types
numpydoc_show_class_members = False  # the class template lists them

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[\\/]plot_",  # only these are run
    "doc_module": ("skdict_sup",),
    "backreferences_dir": None,
    "show_memory": False,
}

# The site builds without a network; links into other projects are made only where there is one.
if os.environ.get("SKDICT_DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }

html_theme = "pydata_sphinx_theme"
html_title = "skdict_sup"
html_theme_options = {
    "show_prev_next": False,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_sidebars = {"install": [], "api": []}

# Labels of scikit-learn's user guide that inherited docstrings refer to.
SKLEARN_LABELS = {"accuracy_score", "r2_score"}


def plain_text(app, env, node, contnode):
    """Words in place of a link into scikit-learn's guide, where there is no network."""
    return contnode if node.get("reftarget") in SKLEARN_LABELS else None


def setup(app):
    """Answer after intersphinx, which has priority 500."""
    app.connect("missing-reference", plain_text, priority=900)
