"""Weights in proportion to the scale of the signals: "auto" and multiples of lam_max."""

from .._validation import check_scalar

_UNIT = "*lam_max"


def multiple(value):
    """The number a in "a*lam_max", or None."""
    if not isinstance(value, str) or not value.replace(" ", "").endswith(_UNIT):
        return None
    try:
        return float(value.replace(" ", "").removesuffix(_UNIT))
    except ValueError:
        return None


def check_weight(value, name, *, strict=False):
    """Raise an error unless a weight is "auto", a valid number or a multiple of lam_max."""
    if isinstance(value, str) and value == "auto":
        return
    number = multiple(value)
    also = "or 'auto' or a multiple of lam_max such as '0.1*lam_max'"
    check_scalar(value if number is None else number, name, low=0.0, strict=strict, also=also)


def resolve_weights(settings, automatic, scale):
    """Values of "auto" settings and multiples of lam_max, where lam_max is `scale`."""
    values = {}
    for name, value in settings.items():
        number = multiple(value)
        if number is not None:
            values[name] = number * scale
        elif isinstance(value, str) and value == "auto":
            values[name] = automatic[name]
    return values
