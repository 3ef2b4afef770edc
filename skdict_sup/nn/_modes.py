"""What torch is doing while a layer is called."""

import torch


def is_recomputing():
    """Whether this is within a backward pass, as the forward pass of a checkpoint is."""
    if torch.compiler.is_compiling():
        return False
    return torch._C._current_graph_task_id() != -1


def is_exporting():
    exporting = getattr(torch.compiler, "is_exporting", None)
    return exporting() if exporting else torch.compiler.is_compiling()


def is_compiling_or_any(mask):
    """Whether an entry of a mask is true, or is not known while torch traces a function."""
    if torch.compiler.is_compiling():
        return True
    try:
        return bool(mask.any())
    except RuntimeError:  # within torch.vmap
        return True
