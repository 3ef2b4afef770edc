"""Figure of docs/results/encode.md: time for each signal against nonzeros."""

from _common import new_figure
from _encode_page import FLOOR, OURS, PEERS

COLOURS = {
    OURS: "tab:blue",
    FLOOR: "tab:gray",
    "SPAMS": "tab:orange",
    "lasso_cd": "tab:green",
    "lasso_lars": "tab:red",
    "skglm": "tab:purple",
}


def draw(rows, path):
    """Write the figure: one panel for each dictionary, one line for each method."""
    panels = list(dict.fromkeys((row["kind"], row["atoms"]) for row in rows))
    columns = min(3, len(panels) + 1)  # one place is left for the legend
    lines = -(-(len(panels) + 1) // columns)
    figure = new_figure(3.6 * columns, 3.0 * lines)
    places = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (kind, atoms) in zip(places, panels, strict=False):
        own = [row for row in rows if (row["kind"], row["atoms"]) == (kind, atoms)]
        for name in (OURS, *PEERS, FLOOR):
            _line(axes, own, name, "float64", label=name, linestyle="-")
        _line(axes, own, OURS, "float32", label=f"{OURS}, float32", linestyle="--")
        axes.set_yscale("log")
        axes.set_title(f"{kind}, {atoms} atoms", fontsize=9)
        axes.grid(alpha=0.3)
    for axes in places[::columns]:
        axes.set_ylabel("microseconds per signal")
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    for axes in places[max(0, len(panels) - columns) : len(panels)]:
        axes.set_xlabel("nonzeros per signal")
    places[-1].legend(*places[0].get_legend_handles_labels(), loc="center", frameon=False)
    figure.savefig(path, dpi=130)


def _line(axes, rows, name, dtype, **style):
    own = [row for row in rows if row["dtype"] == dtype and name in row["times"]]
    if own:
        nonzeros, times = zip(*((row["nonzeros"], row["times"][name]) for row in own), strict=True)
        axes.plot(nonzeros, times, marker="o", markersize=3, color=COLOURS[name], **style)
