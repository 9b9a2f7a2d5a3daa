"""What the suite asks of the machine: commands, the server's user, caches, and the facts that every result is filed with.

Nothing here keeps state besides the cleanup stack of Scratch. Errors are Failed with one line that says what and why.
"""

import contextlib
import hashlib
import os
import pathlib
import platform
import pwd
import re
import shutil
import subprocess
import tempfile
import time

# Seconds after which a command hangs: nothing of the suite takes nearly as long.
TIMEOUT = 900
ROOT = pathlib.Path(__file__).resolve().parents[3]


class Failed(Exception):
    """A step could not be done; its text is one line for the user."""


def run(*command, input=None, env=None, cwd=None):
    """Runs a command to its end and returns its stdout; what it printed on stderr is shown only when it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, input=input, env=env, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(words)[:200]}: did not end within {TIMEOUT} s") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(f"{' '.join(words)[:200]}: exit code {done.returncode}: {said[-1] if said else 'it said nothing'}")
    return done.stdout


def is_root():
    return os.geteuid() == 0


def server_user():
    """Postgres refuses to run as root: root's servers are those of the user postgres."""
    return "postgres" if is_root() else pwd.getpwuid(os.geteuid()).pw_name


def as_server_user(*command):
    if not is_root():
        return command
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *command)


def give_to_server_user(path):
    if is_root():
        shutil.chown(path, "postgres", "postgres")


def why_no_cold_cache():
    return None if os.access("/proc/sys/vm/drop_caches", os.W_OK) else "dropping the page cache needs root"


def drop_caches():
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")


def stored_bytes(path):
    """Bytes that the host keeps for a tree, each file once however many names it has."""
    total, seen = 0, set()
    for directory, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                info = os.lstat(os.path.join(directory, name))
                if info.st_nlink > 1 and (info.st_dev, info.st_ino) in seen:
                    continue
                seen.add((info.st_dev, info.st_ino))
                total += info.st_blocks * 512
    return total


def read_whole(path):
    """Brings every file of a tree into the page cache."""
    for directory, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError), open(os.path.join(directory, name), "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass


def is_mounted(path):
    words = str(path).replace(" ", "\\040")
    return any(line.split()[4] == words for line in open("/proc/self/mountinfo"))


class Timer:
    """with Timer() as timer: …; timer.seconds of wall time, and .cpu of the children that ended inside."""

    def __enter__(self):
        before = os.times()
        self._cpu = before.children_user + before.children_system
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self._start
        after = os.times()
        self.cpu = after.children_user + after.children_system - self._cpu


class Scratch:
    """The directory in which everything happens, and what must be undone before it goes: last first, each once."""

    def __init__(self, parent):
        self._undo = contextlib.ExitStack()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="branchfs-bench.", dir=parent))
        self.path.chmod(0o711)

    def at_end(self, undo, *arguments):
        def quietly():
            try:
                undo(*arguments)
            except (Failed, OSError) as failure:
                print(f"bench: at the end: {failure}", flush=True)

        self._undo.callback(quietly)

    def close(self):
        self._undo.close()
        below = [line.split()[4] for line in open("/proc/self/mountinfo") if line.split()[4].startswith(f"{self.path}/")]
        if below:
            print(f"bench: left mounted, so {self.path} stays: {', '.join(below)}", flush=True)
            return
        shutil.rmtree(self.path, ignore_errors=True)


def _first(pattern, text, default="unknown"):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else default


def _output(*command):
    try:
        return run(*command)
    except (Failed, OSError):
        return ""


def _text(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


def disk_of(path):
    """The block device below a directory, as far as the kernel tells: name, model, scheduler."""
    source = _output("findmnt", "-no", "SOURCE", "--target", path).strip()
    name = os.path.basename(source)
    block = pathlib.Path("/sys/class/block") / name
    if (block / "partition").exists():
        name = block.resolve().parent.name
        block = pathlib.Path("/sys/class/block") / name
    scheduler = _first(r"\[(.*?)\]", _text(block / "queue/scheduler"), "none")
    kind = {"0": "non-rotational", "1": "says rotational"}.get(_text(block / "queue/rotational"), "kind unknown")
    model = _text(block / "device/model") or ("virtio" if name.startswith("vd") else "model unknown")
    return f"{source} ({model}, {kind}, scheduler {scheduler}, readahead {_text(block / 'queue/read_ahead_kb')} KiB)"


def facts(scratch, programs, pgbin):
    """What a reader needs to judge or repeat the figures."""
    cpu = _text("/proc/cpuinfo")
    memory = int(_first(r"^MemTotal:\s+(\d+)", _text("/proc/meminfo"), "0"))
    commit = _output("git", "-C", ROOT, "rev-parse", "--short=12", "HEAD").strip() or "unknown"
    changed = _output("git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no", "--", "layers", "fs", "tools")
    uring = _text("/sys/module/fuse/parameters/enable_uring")
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu": _first(r"^model name\s*:\s*(.*)$", cpu, platform.machine()),
        "cores": os.cpu_count(),
        "ram_mib": memory // 1024,
        "disk": disk_of(scratch),
        "filesystem": _output("findmnt", "-no", "FSTYPE,OPTIONS", "--target", scratch).strip(),
        "libfuse": _first(r"libfuse ([^)\s]+)", _output(programs / "mount.branchfs", "--version")),
        "fuse_io_uring": {"Y": "on", "N": "off (/sys/module/fuse/parameters/enable_uring)"}.get(uring, "not in this kernel"),
        "postgres": _output(pgbin / "postgres", "--version").strip(),
        "branchfs": _output(programs / "branchfs", "--version").strip(),
        "commit": commit + ("+changes" if changed.strip() else ""),
        "programs": hashlib.sha256(b"".join(path.read_bytes() for path in sorted(programs.iterdir()))).hexdigest()[:12],
    }
