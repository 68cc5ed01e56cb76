"""Several ranks are one run: the same batches, the same sums, within rounding; and the same bits
from run to run."""
import os
import shutil
import signal
import subprocess

import numpy as np
import pytest
from lib.programs import WITH_CUDA
from lib.runs import ENV, checkpoint, command, events, refused, same_bits, start, train, wait_for_step
from lib.small import make_small, samples_of
from safetensors import safe_open
from safetensors.numpy import load_file

# Open MPI refuses root, and more ranks than cores. Its own shared memory isn't the point here; its
# own leaks would be found.
MPI_ENV = dict(ENV, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
               OMPI_MCA_btl_vader_single_copy_mechanism="none", OMPI_MCA_rmaps_base_oversubscribe="1",
               ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
EPOCHS = ["--epochs", 3, "--crop", 16, "--flip", "--threads", 1]


def mpirun(ranks, data, out, *options):
    return ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks),
            *command(data, out, *options)]


def train_ranks(ranks, data, out, *options, status=0, env=None):
    env = dict(MPI_ENV, **(env or {}))
    run = subprocess.run(mpirun(ranks, data, out, *options), capture_output=True, text=True,
                         timeout=300, env=env)
    assert run.returncode == status, (run.returncode, run.stderr)
    return run.stderr


@pytest.fixture(scope="module")
def one(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("one") / "out"
    train(small, out, *EPOCHS, "--batch", 8)
    return out


def same_within_rounding(a, b):
    """What differs is the order in which floats are added up, so the last digit of a loss: measured
    3e-8 over 20 steps. It can grow: a value near a relu's 0 may lie on the other side of it, and AdamW
    divides a gradient by its own size, be it rounding alone. With one seed of five 4e-7 was seen."""
    losses = [[e["loss"] for e in events(out, "step")[:5]] for out in (a, b)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for kind, keys in (("step", ("loss", "lr", "accuracy")),
                       ("epoch", ("loss", "accuracy", "val_loss", "val_accuracy"))):
        x, y = events(a, kind), events(b, kind)
        assert [e["step"] for e in x] == [e["step"] for e in y]
        for key in keys:
            assert [e[key] for e in x] == pytest.approx([e[key] for e in y], rel=1e-5), key
    x, y = load_file(checkpoint(a)), load_file(checkpoint(b))
    for name in x:
        if not name.startswith("optimizer."):
            assert x[name] == pytest.approx(y[name], rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_together_compute_what_one_computes(small, one, tmp_path, ranks):
    train_ranks(ranks, small, tmp_path / "out", *EPOCHS, "--batch", 8 // ranks)
    same_within_rounding(tmp_path / "out", one)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_1_x_64_is_2_x_32_is_4_x_16(tmp_path, optimizer):
    data = make_small(tmp_path / "data", n=320, val=30)
    options = [*EPOCHS, "--optimizer", optimizer, "--lr", {"adamw": 0.01, "sgd": 0.05}[optimizer]]
    train(data, tmp_path / "1", *options, "--batch", 64)
    assert len(events(tmp_path / "1", "step")) == 3 * 5
    for ranks in (2, 4):
        train_ranks(ranks, data, tmp_path / str(ranks), *options, "--batch", 64 // ranks)
        same_within_rounding(tmp_path / str(ranks), tmp_path / "1")


def test_how_ranks_add_up_is_part_of_the_environment(small, tmp_path):
    for name, options in (("a", []), ("b", ["--reduce", "mpi"])):
        train_ranks(2, small, tmp_path / name, *EPOCHS, "--batch", 4, *options)
        assert "reduce = mpi\n" in events(tmp_path / name, "environment")[0]["environment"]
    assert same_bits(tmp_path / "a", tmp_path / "b")


def test_four_ranks_give_the_same_bits_each_time(small, tmp_path):
    for name in "ab":
        train_ranks(4, small, tmp_path / name, *EPOCHS, "--batch", 2)
    assert same_bits(tmp_path / "a", tmp_path / "b")
    assert events(tmp_path / "a", "step") == events(tmp_path / "b", "step")


def test_another_number_of_ranks_goes_on_with_the_same_samples(small, one, tmp_path):
    run = start(small, tmp_path / "out", *EPOCHS, "--batch", 8)
    wait_for_step(run, 7)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    told = train_ranks(2, small, tmp_path / "out", *EPOCHS, "--batch", 4, "--resume", status=1)
    assert '"ranks = 1", now "ranks = 2"' in told
    train_ranks(2, small, tmp_path / "out", *EPOCHS, "--batch", 4, "--resume-anyway")
    same_within_rounding(tmp_path / "out", one)


def test_a_bad_sample_of_any_rank_counts_once(own, tmp_path):
    paths = [row["path"] for row in samples_of(own)]
    for i in (3, 40):
        (own / paths[i] / "mfcc.npy").unlink()
    told = train_ranks(4, own, tmp_path / "out", *EPOCHS, "--batch", 2, "--max-bad", "10%")
    assert "2 of 45 samples could not be used:" in told
    assert list(load_file(checkpoint(tmp_path / "out"))["data.bad"]) == [3, 40]


def test_tasks_of_srun_without_mpi_are_refused(small, tmp_path):
    told = train(small, tmp_path / "out", status=1, env={"SLURM_STEP_NUM_TASKS": "4"})
    assert "srun started 4 tasks that know nothing of each other: " in told


def test_a_rank_that_cannot_start_ends_all(own, tmp_path):
    shutil.rmtree(own)
    told = train_ranks(2, own, tmp_path / "out", *EPOCHS, status=1)
    assert "data: No such file or directory" in told


def test_what_rank_0_alone_sees_ends_all(small, tmp_path):
    (tmp_path / "out").mkdir()
    checkpoint(tmp_path / "out").write_bytes(b"")
    told = train_ranks(2, small, tmp_path / "out", *EPOCHS, status=1)
    assert "is there already" in told


@pytest.mark.parametrize("number,status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_any_rank_saves_and_ends_all(small, tmp_path, number, status):
    """As srun sends them, to each; here to the second alone."""
    out = tmp_path / "out"
    run = subprocess.Popen(mpirun(2, small, out, "--epochs", 10**6, "--threads", 1, "--batch", 4),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=MPI_ENV)
    wait_for_step(run, 3)
    ranks = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True).stdout.split()
    assert len(ranks) == 2
    os.kill(int(ranks[1]), number)
    _, told = run.communicate(timeout=60)
    assert run.returncode == status
    assert "; --resume goes on" in told
    assert events(out, "end")[-1]["how"] == "interrupted"
    with safe_open(checkpoint(out), "np") as file:
        assert int(file.metadata()["step"]) == events(out, "step")[-1]["step"] >= 3


def test_a_signal_at_the_end_leaves_nobody_waiting(small, tmp_path):
    """A rank may hear of it when others have seen that there is no batch any more."""
    for delay in range(8):
        run = subprocess.Popen(mpirun(2, small, tmp_path / str(delay), *EPOCHS, "--batch", 4),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=MPI_ENV)
        wait_for_step(run, 8 + delay)
        ranks = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True)
        for rank in ranks.stdout.split()[1:]:
            os.kill(int(rank), signal.SIGINT)
        run.communicate(timeout=60)
        assert run.returncode in (0, 130)


def test_a_rank_that_is_killed_ends_all_and_leaves_a_checkpoint(small, tmp_path):
    out = tmp_path / "out"
    options = ["--epochs", 10**6, "--threads", 1, "--batch", 4, "--checkpoint-every", 2]
    run = subprocess.Popen(mpirun(2, small, out, *options), stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, env=MPI_ENV, start_new_session=True)
    wait_for_step(run, 6)
    ranks = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True).stdout.split()
    assert len(ranks) == 2
    os.kill(int(ranks[1]), signal.SIGKILL)
    _, told = run.communicate(timeout=60)
    assert run.returncode != 0
    assert "signal 9" in told
    arrays = load_file(checkpoint(out))
    assert all(np.isfinite(a).all() for a in arrays.values())
    train_ranks(2, small, out, *options[2:], "--epochs", 10**6, "--resume", "--max-bad", "0%",
                "--lr", "0.02", status=1)  # it is read; only the rate is another


if WITH_CUDA:
    # Collected only where contrib/check found a GPU.
    CUDA = ["--device", "cuda"]
    GPUS = len(subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout.splitlines())
    WITH_NCCL = "built without NCCL" not in \
        refused("--data", "x", *CUDA, "--reduce", "nccl", "--deterministic")
    # Ranks that all see the first GPU only.
    ONE_GPU = dict(CUDA_VISIBLE_DEVICES="0")

    @pytest.fixture(scope="module")
    def one_gpu(small, tmp_path_factory):
        out = tmp_path_factory.mktemp("one_gpu") / "out"
        train(small, out, *EPOCHS, *CUDA, "--batch", 8, "--deterministic")
        return out

    def environment(out):
        return events(out, "environment")[0]["environment"]

    def test_ranks_that_share_a_gpu_compute_what_one_computes(small, one_gpu, tmp_path):
        out = tmp_path / "out"
        train_ranks(2, small, out, *EPOCHS, *CUDA, "--batch", 4, "--reduce", "mpi", env=ONE_GPU)
        assert "reduce = mpi\n" in environment(out)
        same_within_rounding(out, one_gpu)

    def test_ranks_on_a_gpu_give_the_same_bits_each_time(small, tmp_path):
        for name in "ab":
            train_ranks(2, small, tmp_path / name, *EPOCHS, *CUDA, "--batch", 4, "--deterministic")
            assert "reduce = mpi\n" in environment(tmp_path / name)
        assert same_bits(tmp_path / "a", tmp_path / "b")

    if WITH_NCCL:
        def test_ranks_that_share_a_gpu_do_without_nccl_and_say_so(small, tmp_path):
            options = [*EPOCHS, *CUDA, "--batch", 4]
            told = train_ranks(2, small, tmp_path / "a", *options, "--reduce", "nccl", env=ONE_GPU, status=1)
            assert "reduce = nccl: ranks 0 and 1 share a GPU, which NCCL doesn't allow" in told
            told = train_ranks(2, small, tmp_path / "b", *options, env=ONE_GPU)
            assert "through the host's memory (ranks 0 and 1 share a GPU" in told

        def test_nccl_promises_no_order(tmp_path):
            assert "NCCL doesn't promise the order of a sum" in \
                refused("--data", "x", *CUDA, "--reduce", "nccl", "--deterministic")

    if WITH_NCCL and GPUS > 1:
        def test_gpus_add_up_by_nccl_what_one_computes(small, one_gpu, tmp_path):
            out = tmp_path / "out"
            told = train_ranks(2, small, out, *EPOCHS, *CUDA, "--batch", 4)
            assert "gradients of 2 ranks are added up by NCCL" in told
            assert "reduce = nccl\n" in environment(out) and "\nnccl = 2." in "\n" + environment(out)
            same_within_rounding(out, one_gpu)
            told = train_ranks(2, small, out, *EPOCHS, *CUDA, "--batch", 4, "--reduce", "mpi", "--resume",
                               status=1)
            assert "another environment" in told

        def test_a_rank_on_a_gpu_that_is_killed_ends_all(small, tmp_path):
            out = tmp_path / "out"
            run = subprocess.Popen(mpirun(2, small, out, "--epochs", 10**6, "--batch", 4, *CUDA),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=MPI_ENV,
                                   start_new_session=True)
            wait_for_step(run, 6)
            ranks = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True)
            os.kill(int(ranks.stdout.split()[1]), signal.SIGKILL)
            _, told = run.communicate(timeout=60)
            assert run.returncode != 0
            assert all(np.isfinite(a).all() for a in load_file(checkpoint(out)).values())
