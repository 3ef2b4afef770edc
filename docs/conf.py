"""Sphinx configuration of the skdict_sup documentation."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))  # document this tree, whatever is installed
sys.path.insert(0, str(DOCS / "_ext"))

project = "skdict_sup"
author = "The skdict_sup developers"
copyright = f"2026, {author}"
release = installed_version("skdict-sup")
version = ".".join(release.split(".")[:2])

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    # in _ext
    "figures",
    "page_links",
    "parameter_groups",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_inventories", "_static", "api/examples", "images/README.md"]
default_role = "literal"
nitpicky = False
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings give the types
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False  # the class template lists them

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[\\/]plot_",  # only these are run
    "within_subsection_order": "gallery.Order",
    "doc_module": ("skdict_sup",),
    "reference_url": {"skdict_sup": None},  # names in code are links, to this site too
    "backreferences_dir": "api/examples",  # which examples use what
    "show_memory": False,
    "write_computation_times": False,  # those pages load scripts from a network
}

# Neither the build nor a page of the site needs a network: the inventories of other projects and
# MathJax are in the repository.
intersphinx_mapping = {
    name: (address, str(DOCS / "_inventories" / f"{name}.inv"))
    for name, address in {
        "python": "https://docs.python.org/3",
        "scipy": "https://docs.scipy.org/doc/scipy",
        "sklearn": "https://scikit-learn.org/stable",
    }.items()
}
mathjax_path = "mathjax/tex-svg.js"  # one file, fonts included
mathjax3_config = {"options": {"enableMenu": False}}  # which would load more from a network

html_theme = "pydata_sphinx_theme"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/logo.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the browser is
html_theme_options = {
    "logo": {
        "text": project,
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
        "alt_text": "",  # the name stands beside it
    },
    "navbar_align": "left",
    "navbar_end": ["release", "theme-switcher"],
    "header_links_before_dropdown": 5,
    "secondary_sidebar_items": ["page-toc", "sourcelink"],
    "show_toc_level": 2,
    "back_to_top_button": True,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_sidebars = {"index": [], "install": [], "changelog": []}

copybutton_prompt_text = r">>> |\.\.\. "  # a copy has neither prompts nor output
copybutton_prompt_is_regexp = True
