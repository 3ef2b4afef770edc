"""Names of files of the repository become links where the file is a page of the site.

``docs/results/kl.md`` is named in prose, in docstrings and in pages that are files of the root,
where a link of Sphinx cannot stand.
"""

import re

from docutils import nodes
from sphinx import addnodes

PAGES = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "development/contributing",
    "SECURITY.md": "development/security",
    ".github/CODE_OF_CONDUCT.md": "development/code_of_conduct",
}
FILE = re.compile(r"docs/([\w/-]+)\.(?:md|rst)")


def page_of(app, name):
    """Page of a file, named from the root of the repository or by a relative path, or None."""
    name = re.sub(r"^(\.\./)+", "", name)
    found = FILE.fullmatch(name)
    page = found[1] if found else PAGES.get(name)
    return page if page in app.env.found_docs else None


def reference(app, page):
    """Reference to a page that keeps its own text."""
    link = addnodes.pending_xref("", refdomain="std", reftype="doc", reftarget=f"/{page}")
    link.attributes.update(refdoc=app.env.docname, refexplicit=True, refwarn=True)
    return link


def link_files(app, doctree):
    """Link literal texts that name a page, and links of Markdown to files that are pages."""
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link.get("reftype") == "myst" and (page := page_of(app, link["reftarget"])):
            new = reference(app, page)
            new += link.children
            link.replace_self(new)
    for literal in list(doctree.findall(nodes.literal)):
        if isinstance(literal.parent, nodes.reference | nodes.title | addnodes.pending_xref):
            continue
        page = page_of(app, literal.astext())
        if page not in (None, app.env.docname):
            link = reference(app, page)
            literal.replace_self(link)
            link += literal


def setup(app):
    app.connect("doctree-read", link_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
