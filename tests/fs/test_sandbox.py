"""What takes over a decoder gets no further: files, network, other processes, the kernel. Each try is
refused or ends the decoder, costs its file one error, and the rest goes on."""
import errno
import io
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lib import media
from lib.mount import Mount, program, sanitized, worker_program
from lib.process import children
from lib.threads import errno_of, read_bytes
from lib.wait import until, until_gone

CLIP = "train/video/moov-first.mp4"
SANITIZED = sanitized()
TOOLS = program().parent / "tests" / "unit"
HOSTILE = {"S3SAMPLEFS_WORKER": str(TOOLS / "worker_hostile")}
CONTAINED = {"S3SAMPLEFS_WORKER": str(TOOLS / "worker_contained")}
LACKS = "lack a part of their sandbox: "
SANITIZERS_TOO = ("open", "proc", "ptrace", "process_vm_readv", "limits", "code", "memory")

REFUSED = [
    "open", "openat2", "creat", "memfd", "proc", "socket", "connect", "exec", "fork", "ptrace", "kill",
    "process_vm_readv", "limits", "io_uring_setup", "bpf", "userfaultfd", "mount", "unshare", "keyctl",
    "perf_event_open", "truncate", "code", "memory"]
ENDED = {
    "write_beyond": (errno.EBADMSG, "crashed (SIGBUS)"),
    "lies": (errno.EBADMSG, "answered another job than its own"),
    "start_again": (errno.EBADMSG, "told a start that can't be"),
    "exit": (errno.EBADMSG, "ended with status 0"),
    "loop": (errno.ETIMEDOUT, "not decoded within 2 s"),
    "silence": (errno.ETIMEDOUT, "not decoded within 2 s"),
    "messages": (errno.ETIMEDOUT, "not decoded within 2 s"),
}
if SANITIZED:                   # they need these, and end a process by its status
    REFUSED = [name for name in REFUSED if name not in SANITIZERS_TOO]
    ENDED.pop("write_beyond")


class Hostages:
    """A mount whose decoders obey their files."""

    def __init__(self, mount, source):
        self.mount, self.source = mount, source
        self.sizes = iter(range(8, 8192))

    def write(self, name):
        """A file that commands. Its error is told by its attribute."""
        (self.source / f"{name}.mp4").write_text(f"HOSTILE {name} {self.mount.pid}\n" + "x" * 4000)
        return self.mount / f"frames/{name}.mp4.npy"

    def tries(self, name):
        """(errno, sentence) of what becomes of it; the rest must go on, and the daemon be the same."""
        before = self.mount.idle_stats()["decode_errors"]
        path = self.write(name)
        err = errno_of(read_bytes, path)
        errors = self.mount.idle_stats()["decode_errors"] - before
        # One that was late is tried again whenever it is asked for: by the look-up, and by open.
        assert errors == 1 or err == errno.ETIMEDOUT and errors >= 1
        self.decode()
        return err, os.getxattr(path, "user.s3samplefs.error").decode()

    def decode(self):
        self.mount.must_run()
        size = next(self.sizes)
        rows = np.load(self.mount / f"frames@num_frames=4,size={size}/good.mp4.npy")
        assert rows.shape == (4, size, size, 3) and rows.any()


def _source(folder):
    folder.mkdir()
    (folder / "good.mp4").write_bytes(media.numbered(CLIP).read_bytes())
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def hostages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostages")
    source = _source(folder / "source")
    with Mount(folder / "mount", f"dir:{source}", {"workers": 1, "timeout": "2s", "metadata_ttl": "0s"},
               env=HOSTILE) as mount:
        yield Hostages(mount, source)


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_decoder_may_not_is_refused(hostages, name):
    err, said = hostages.tries(name)
    assert err == errno.EBADMSG
    assert f"{name}: refused, " in said
    # ENOSYS: clone3, so that the C library takes clone.
    assert said.split("refused, ")[1].split()[0].rstrip(",;.)") in ("EPERM", "ENOSYS")
    if name == "memory":
        assert int(said.split(" after ")[1].split()[0]) < 320


@pytest.mark.parametrize("name", ENDED)
def test_what_a_decoder_does_to_the_daemon_ends_it(hostages, name):
    deaths = hostages.mount.stat("worker_deaths")
    expected, words = ENDED[name]
    err, said = hostages.tries(name)
    assert err == expected and words in said
    hostages.mount.until_stat("worker_deaths", deaths + 1)


def test_nothing_was_written_by_them(hostages):
    hostages.tries("creat")
    assert not os.path.lexists("/tmp/hostile") and not os.path.lexists("/tmp/hostile.d")


# -- what it is in --

def _status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f)


def _namespaces(pid, names):
    return {name: os.readlink(f"/proc/{pid}/ns/{name}") for name in names}


def _one_worker(mount):
    [pid] = until(lambda: [p for p in children(mount.pid)
                           if Path(f"/proc/{p}/comm").read_text() == "s3sample-worker\n"], "a worker")
    return pid


def _expect_sandbox(mount, uid, gid):
    names = ["user", "net", "ipc"] + ([] if SANITIZED else ["mnt", "pid"])
    pid = _one_worker(mount)
    status = _status(pid)
    for name, namespace in _namespaces(pid, names).items():
        assert namespace != os.readlink(f"/proc/{mount.pid}/ns/{name}"), name
    assert status["Uid"].split() == [str(uid)] * 4 and status["Gid"].split() == [str(gid)] * 4
    assert status["CapEff"] == status["CapPrm"] == status["CapInh"] == "0" * 16
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    if not SANITIZED:
        assert status["NSpid"].split()[-1] == "2"      # not the init of its namespace
        assert os.listdir(f"/proc/{pid}/root") == []
    return pid


def test_a_worker_of_root_is_nobody_in_namespaces_of_its_own(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 1, "sandbox": "require"})
    np.load(mount / f"frames/{CLIP}.npy")
    pid = _expect_sandbox(mount, 65534, 65534)
    # And still the daemon's to limit, which may do without CAP_SYS_RESOURCE.
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    assert next(line for line in limits if line.startswith("Max cpu time")).split()[3] != "unlimited"
    assert LACKS not in mount.log()


def test_a_worker_goes_before_the_daemon_when_memory_runs_out(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 1})
    own = Path("/proc/self/oom_score_adj").read_text()
    assert Path(f"/proc/{_one_worker(mount)}/oom_score_adj").read_text() == "1000\n"
    assert Path(f"/proc/{mount.pid}/oom_score_adj").read_text() == own


def test_nothing_is_left_of_a_daemon_that_was_killed(tree, unmounted):
    mount = unmounted(f"dir:{tree}", {"workers": 2}).start()
    until(lambda: len(mount.workers()) == 2, "two workers", check=mount.must_run)
    born = until(lambda: [p for p in children(mount.pid) if p in mount.workers() or not SANITIZED], "children")
    os.kill(mount.pid, signal.SIGKILL)
    for pid in born:
        until_gone(pid, "a worker or its init")


def test_a_worker_ends_with_the_init_of_its_namespace(tree, mounted):
    mount = mounted(f"dir:{tree}", {"workers": 1})
    worker = _one_worker(mount)
    for pid in children(mount.pid):
        if pid != worker:
            os.kill(pid, signal.SIGKILL)
    if SANITIZED:               # there is none
        os.kill(worker, signal.SIGKILL)
    mount.until_stat("worker_deaths", 1)
    assert np.load(mount / f"frames/{CLIP}.npy").shape == (16, 224, 224, 3)


def _cgroup(name):
    """A new group of processes whose memory can be limited: its folder and the limit's file, or None."""
    for base, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        folder = Path(base) / name
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / limit).exists():
            return folder, folder / limit
        folder.rmdir()
    return None


PROBED = _cgroup("s3samplefs-test-probe")
if PROBED:
    PROBED[0].rmdir()


def _out_of_memory(tmp_path, unmounted):
    source = _source(tmp_path / "source")
    mount = unmounted(f"dir:{source}", {"workers": 1, "metadata_ttl": "0s"}, env=HOSTILE)
    group, limit = _cgroup(f"s3samplefs-test-{os.getpid()}")
    try:
        with mount:
            hostages = Hostages(mount, source)
            hostages.decode()
            # Its worker, and whatever replaces it, is born into the group.
            (group / "cgroup.procs").write_text(str(mount.pid))
            os.kill(_one_worker(mount), signal.SIGKILL)
            mount.until_stat("worker_deaths", 1)
            limit.write_text(str(140 << 20))
            path = hostages.write("memory")
            assert errno_of(read_bytes, path) == errno.ENOMEM
            mount.must_run()
            hostages.decode()
    finally:
        until(lambda: not (group / "cgroup.procs").read_text(), "the group to be empty")
        group.rmdir()


if PROBED and not SANITIZED:    # else no group of ours can have a limit, or nothing fits into it
    def test_the_kernel_out_of_memory_takes_a_worker(tmp_path, unmounted):
        _out_of_memory(tmp_path, unmounted)


# -- where the kernel refuses a part of it --

def test_what_is_missing_is_said_in_one_line(tmp_path, mounted):
    source = _source(tmp_path / "source")
    mount = mounted(f"dir:{source}", {"workers": 2, "metadata_ttl": "0s"}, env=CONTAINED)
    hostages = Hostages(mount, source)
    for name in ("exec", "kill", "socket", "creat") + (() if SANITIZED else ("open", "proc", "memory")):
        err, said = hostages.tries(name)
        assert err == errno.EBADMSG and f"{name}: refused, " in said
    lines = [line for line in mount.log().splitlines() if LACKS in line]
    assert len(lines) == 1 and "no network namespace, no IPC namespace" in lines[0]
    assert "(Operation not permitted)" in lines[0]
    for pid in children(mount.pid):
        status = _status(pid)
        assert status["Uid"].split() == ["65534"] * 4 and status["CapPrm"] == "0" * 16


def test_require_does_not_mount_without_all_of_it(tree, unmounted):
    mount = unmounted(f"dir:{tree}", {"sandbox": "require"}, env=CONTAINED)
    status, said = mount.refuse()
    assert status == 1 and "sandbox=require: no network namespace" in said


def test_require_needs_a_worker_that_says_so(tree, unmounted):
    mount = unmounted(f"dir:{tree}", {"sandbox": "require", "timeout": "1s"},
                      env={"S3SAMPLEFS_WORKER": "/bin/cat"})
    status, said = mount.refuse()
    assert status == 1 and "/bin/cat" in said


# -- somebody else than root --

class UserMount(Mount):
    """As a user, by fusermount3, with programs that the user may read."""
    user = pwd.getpwnam("games")

    def __init__(self, folder, source, options, worker, env=None):
        super().__init__(folder, source, options, env=env)
        bin_ = self.folder / "bin"
        bin_.mkdir()
        for path in {program(), Path(worker), TOOLS / "worker_hostile"}:
            shutil.copy(path, bin_)
        self.worker = str(bin_ / Path(worker).name)
        self.env["S3SAMPLEFS_WORKER"] = self.worker
        self.program = bin_ / program().name
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        for path in self.folder.parents:        # pytest's folders are root's alone
            if str(path).startswith(("/tmp/", "/var/tmp/")):
                path.chmod(path.stat().st_mode | 0o011)

    def command(self, *flags):
        words = super().command(*flags)
        return ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups",
                str(self.program), *words[1:]]

    def reads(self, *words):
        """What a command of the user's says: root can't look inside."""
        return subprocess.run(["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}",
                               "--clear-groups", *map(str, words)], capture_output=True)


@pytest.fixture
def open_device():
    """/dev/fuse is for everybody, as udev makes it."""
    mode = os.stat("/dev/fuse").st_mode
    os.chmod("/dev/fuse", 0o666)
    yield
    os.chmod("/dev/fuse", mode)


@pytest.fixture
def of_a_user(tmp_path, open_device):
    made = []

    def make(worker=worker_program(), **options):
        source = _source(tmp_path / "source")
        mount = UserMount(tmp_path / "user", f"dir:{source}", {"workers": 1, "metadata_ttl": "0s"} | options,
                          worker)
        made.append(mount)
        return source, mount.start()

    yield make
    for mount in made:
        mount.clean_up()


def test_a_worker_of_a_user_is_the_user_in_namespaces_of_its_own(of_a_user):
    _, mount = of_a_user(sandbox="require")
    rows = np.load(io.BytesIO(mount.reads("cat", mount / "frames/good.mp4.npy").stdout))
    assert rows.shape == (16, 224, 224, 3) and rows.any()
    _expect_sandbox(mount, mount.user.pw_uid, mount.user.pw_gid)
    mount.stop()


def _read_by_others(of_a_user):
    source, mount = of_a_user(worker=TOOLS / "worker_hostile")
    for name in ("environ", "mem", "maps"):
        assert os.stat(f"/proc/{mount.pid}/{name}").st_uid == 0
        assert mount.reads("cat", f"/proc/{mount.pid}/{name}").returncode != 0
    for name in ("proc", "ptrace", "process_vm_readv", "kill"):
        (source / f"{name}.mp4").write_text(f"HOSTILE {name} {mount.pid}\n")
        assert mount.reads("cat", mount / f"frames/{name}.mp4.npy").returncode != 0
        said = mount.reads("getfattr", "-n", "user.s3samplefs.error", mount / f"frames/{name}.mp4.npy").stdout
        assert f"{name}: refused, ".encode() in said
    mount.stop()


if not SANITIZED:               # it attaches to its own process
    def test_nobody_but_root_reads_the_daemon_of_a_user(of_a_user):
        _read_by_others(of_a_user)
