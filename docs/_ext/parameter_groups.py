"""Parameters of estimators, in groups, on their pages of the reference."""

from docutils import nodes
from sphinx import addnodes

GROUPS = {
    "Dictionary": ["n_components", "dictionary", "init", "init_max_iter", "positive_dictionary"],
    "Codes": [
        *("prior", "transfer", "solver", "max_residual", "max_nonzeros", "allow_nan"),
        *("output", "split_sign"),
    ],
    "Network": [
        *("architecture", "n_layers", "target", "every_layer", "safeguard", "dictionary_update"),
    ],
    "Task": [
        *("loss", "nu", "mu", "dropout", "head", "fit_linear", "n_projected", "multi_class"),
        *("label_smoothing", "class_weight"),
    ],
    "Signals": ["fit_offset", "standardise", "augment"],
    "Training": [
        *("optimizer", "learning_rate", "batch_size", "max_iter", "tol", "forgetting", "shuffle"),
        *("early_stopping", "validation_fraction", "n_iter_no_change", "warm_start"),
    ],
    "Computation": ["device", "n_jobs", "random_state", "verbose"],
}
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
LEARNERS = {
    *("OnlineDictionaryLearning", "SupervisedDictionaryRegressor"),
    *("SupervisedDictionaryClassifier", "LISTAEncoder"),
}


def group(app, doctree):
    """Put a line with its name above the parameters of each group."""
    for description in doctree.findall(addnodes.desc):
        signature = description.next_node(addnodes.desc_signature)
        if description["objtype"] != "class" or signature["ids"][0].split(".")[-1] not in LEARNERS:
            continue
        fields = description[-1].next_node(nodes.field_list)
        body = next(field[1] for field in fields if field[0].astext() == "Parameters")
        (listed,) = body.children
        groups = {name: nodes.definition_list(**listed.attributes) for name in GROUPS}
        for item in listed.children:
            # one item may describe several parameters, which are of one group
            name = item[0].astext().replace(":", ",").split(",")[0].strip()
            groups[GROUP_OF[name]] += item.deepcopy()
        body.clear()
        for name, members in groups.items():
            if members.children:
                body += nodes.paragraph("", name, classes=["parameter-group"])
                body += members


def setup(app):
    app.connect("doctree-read", group)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
