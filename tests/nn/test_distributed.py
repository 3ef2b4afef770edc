"""Training in two processes gives what training in one gives."""

import time

import pytest

torch = pytest.importorskip("torch")

import distributed_steps

N_PROCESSES = 2

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="torch has no gloo",
)


def test_two_processes_learn_what_one_learns(tmp_path):
    model, input, target = distributed_steps.model_and_batch()
    start = {name: value.clone() for name, value in model.state_dict().items()}
    values = distributed_steps.train(model, input, target)
    assert model[0].dictionary.norm(dim=1).max() > 1, "the projection had something to do"
    context = torch.multiprocessing.start_processes(
        distributed_steps.take_part,
        args=(N_PROCESSES, str(tmp_path)),
        nprocs=N_PROCESSES,
        join=False,
        start_method="spawn",
    )
    end = time.monotonic() + 120
    try:
        while not context.join(timeout=1):  # it raises what a process has raised
            assert time.monotonic() < end, "the processes wait for each other"
    finally:
        for process in context.processes:
            process.kill()
    saved = [torch.load(tmp_path / f"{rank}.pt") for rank in range(N_PROCESSES)]
    for name, expected in model.state_dict().items():
        assert torch.equal(saved[0][1][name], saved[1][1][name]), name
        torch.testing.assert_close(saved[0][1][name], expected, rtol=1e-9, atol=1e-11)
        assert "running" in name or not torch.equal(expected, start[name])
    mean = torch.stack([part for part, _ in saved]).mean(dim=0)
    torch.testing.assert_close(mean, values, rtol=1e-9, atol=1e-11)
