"""Ways to get a writable copy of a stopped cluster. Each knows why it cannot be had here, and undoes what it did.

A side is given a cluster once (prepare), then forks it as often as asked. Only what a user waits for belongs into fork
and remove; the workloads time them. Names of forks are the suite's, unique within a run.
"""

import os
import pathlib
import re
import shutil

from system import Failed, is_root, run, stored_bytes

# Sparse; as large as a full run can fill on the sides that live in a loop file.
LOOP_FILE_BYTES = 60 << 30


class Side:
    """The plain host directory: what everything else is compared with. A fork is a copy."""

    name = "plain"  # the report says which filesystem
    title = "plain directory"
    reference = True
    in_quick = True
    asked_for_only = False  # measured with --side NAME alone
    settings: dict = {}

    def __init__(self, bench):
        self._bench = bench
        self._bases = {}
        self.home = bench.scratch.path / f"side-{self.name}"

    def why_not(self):
        """None, or the reason why this machine cannot measure it. Called once, before anything else."""
        return None

    def base(self, key):
        """The prepared cluster of that key; made at first use."""
        if key not in self._bases:
            self.home.mkdir(mode=0o755, exist_ok=True)
            self._bases[key] = self.prepare(self._bench.cluster(key), key)
        return self._bases[key]

    def prepare(self, cluster, key):
        return cluster

    def fork(self, key, name):
        """Makes the copy `name` of cluster `key`; returns the data directory."""
        run("cp", "-a", self.base(key), self.home / name)
        return self.home / name

    def remove(self, name):
        shutil.rmtree(self.home / name)

    def cool(self, name):
        """Drops what the side itself holds in memory; the page cache is the caller's."""

    def used(self):
        """Bytes that all forks of the side, and what they share, take on the host."""
        return stored_bytes(self.home)


class BranchFs(Side):
    name = "branchfs"
    title = "branchfs"
    reference = False
    mount_options = "no_io_uring,writeback"  # as `branchfs start` mounts

    def __init__(self, bench):
        super().__init__(bench)
        self.store = self.home / "store"
        self.environment = dict(os.environ, BRANCHFS_STORE=str(self.store), PATH=f"{bench.programs}:{bench.pgbin}:{os.environ['PATH']}")

    def why_not(self):
        return None if os.access("/dev/fuse", os.R_OK | os.W_OK) else "no /dev/fuse here, or no right to open it"

    def command(self, *words):
        return run(self._bench.programs / "branchfs", *words, env=self.environment)

    def transport(self, name):
        """How the mount talks to the kernel: /dev/fuse or io_uring."""
        found = re.search(r'"transport": "([^"]*)"', self.command("status", name, "--json"))
        return found.group(1) if found else "an unknown transport"

    def prepare(self, cluster, key):
        if not self.store.exists():
            self.command("init")
        self.command("import", f"base-{key}", "--pgdata", cluster, "--quiet")
        return f"base-{key}"

    def mount(self, name):
        directory = self.home / name
        directory.mkdir(exist_ok=True)
        self._bench.mounts[directory] = lambda: self.command("umount", name)
        self.command("mount", name, directory, "-o", self.mount_options)
        return directory

    def umount(self, name):
        self.command("umount", name)
        del self._bench.mounts[self.home / name]
        (self.home / name).rmdir()

    def create(self, key, name):
        self.command("create", name, "--from", self.base(key))

    def fork(self, key, name):
        self.create(key, name)
        return self.mount(name)

    def remove(self, name):
        self.umount(name)
        self.command("delete", name)

    def cool(self, name):
        self.umount(name)
        self.mount(name)

    def used(self):
        return stored_bytes(self.store)


class BranchFsOwn(BranchFs):
    """With the WAL settings that branchfs writes into every branch, instead of Postgres's defaults."""

    name = "branchfs-own"
    title = "branchfs, its own WAL settings"
    asked_for_only = True
    settings = {"wal_recycle": None, "wal_init_zero": None, "min_wal_size": None}


class BranchFsWritethrough(BranchFs):
    """As `branchfs mount` mounts, and `branchfs start` for servers with fsync=off: every write goes to the daemon at once."""

    name = "branchfs-writethrough"
    title = "branchfs, write-through"
    mount_options = "no_io_uring"
    asked_for_only = True


class BranchFsUring(BranchFs):
    name = "branchfs-uring"
    title = "branchfs, FUSE over io_uring"
    mount_options = "io_uring,writeback"

    def why_not(self):
        if reason := super().why_not():
            return reason
        parameter = pathlib.Path("/sys/module/fuse/parameters/enable_uring")
        if not parameter.exists():
            return "this kernel has no FUSE over io_uring"
        if parameter.read_text().strip() != "Y":
            return f"FUSE over io_uring is off (as root: echo Y > {parameter})"
        self.fork(1, "try")
        transport = self.transport("try")
        self.remove("try")
        return None if transport == "io_uring" else f"branchfs was asked for it and uses {transport} (see branchfs status)"


class MountedSide(Side):
    """Sides that mount each fork as root. `try_out` mounts an empty one, to learn the reason when that cannot be done."""

    reference = False
    in_quick = False

    def why_not(self):
        if not is_root():
            return "mounting it needs root"
        try:
            self.try_out()
        except (Failed, OSError) as failure:
            return str(failure)
        return None

    def try_out(self):
        raise NotImplementedError

    def _umount(self, directory):
        run("umount", directory)
        self._bench.mounts.pop(directory, None)


class OverlayFs(MountedSide):
    """The kernel's overlay over the plain directory: a file is copied when it is first written."""

    name = "overlayfs"
    title = "overlayfs"

    def try_out(self):
        self.home.mkdir(mode=0o755)
        lower = self.home / "try-lower"
        lower.mkdir()
        self._mount(lower, "try")
        self.remove("try")
        lower.rmdir()

    def fork(self, key, name):
        return self._mount(self.base(key), name)

    def _mount(self, lower, name):
        place = self.home / name
        for part in ("", "upper", "work", "data"):
            (place / part).mkdir(mode=0o755)
        # The mounted top has the owner and mode of the upper directory.
        shutil.copystat(lower, place / "upper")
        info = os.stat(lower)
        os.chown(place / "upper", info.st_uid, info.st_gid)
        options = f"lowerdir={lower},upperdir={place / 'upper'},workdir={place / 'work'}"
        self._bench.mounts[place / "data"] = lambda: self._umount(place / "data")
        run(*self.mount_command(options), place / "data")
        return place / "data"

    def mount_command(self, options):
        return ("mount", "-t", "overlay", "overlay", "-o", options)

    def remove(self, name):
        self._umount(self.home / name / "data")
        shutil.rmtree(self.home / name)


class FuseOverlayFs(OverlayFs):
    name = "fuse-overlayfs"
    title = "fuse-overlayfs"

    def why_not(self):
        if not shutil.which("fuse-overlayfs"):
            return "fuse-overlayfs is not installed (scripts/setup.sh --bench)"
        return super().why_not()

    def mount_command(self, options):
        return ("fuse-overlayfs", "-o", f"{options},allow_other")


class LoopSide(MountedSide):
    """A filesystem of its own in a sparse file on the host directory. Forks are made inside it."""

    filesystem: str
    make: tuple

    def why_not(self):
        if not shutil.which(self.make[0]):
            return f"{self.make[0]} is not installed (scripts/setup.sh --bench)"
        return super().why_not()

    def try_out(self):
        image = self._bench.scratch.path / f"{self.name}.image"
        with open(image, "wb") as file:
            file.truncate(LOOP_FILE_BYTES)
        run(*self.make, image)
        self.home.mkdir(mode=0o755)
        self._bench.mounts[self.home] = lambda: self._umount(self.home)
        run("mount", "-o", "loop", "-t", self.filesystem, image, self.home)
        self.home.chmod(0o755)

    def used(self):
        run("sync", "-f", self.home)
        state = os.statvfs(self.home)
        return (state.f_blocks - state.f_bfree) * state.f_frsize


class Btrfs(LoopSide):
    name = "btrfs"
    title = "btrfs snapshot"
    filesystem = "btrfs"
    make = ("mkfs.btrfs", "-q")

    def prepare(self, cluster, key):
        base = self.home / f"base-{key}"
        run("btrfs", "subvolume", "create", base)
        run("cp", "-a", cluster, base / "data")
        return base

    def fork(self, key, name):
        run("btrfs", "subvolume", "snapshot", self.base(key), self.home / name)
        return self.home / name / "data"

    def remove(self, name):
        run("btrfs", "subvolume", "delete", self.home / name)


class Xfs(LoopSide):
    name = "xfs"
    title = "XFS reflink copy"
    filesystem = "xfs"
    make = ("mkfs.xfs", "-q", "-m", "reflink=1")

    def prepare(self, cluster, key):
        run("cp", "-a", cluster, self.home / f"base-{key}")
        return self.home / f"base-{key}"

    def fork(self, key, name):
        run("cp", "-a", "--reflink=always", self.base(key), self.home / name)
        return self.home / name


class Copy(Side):
    """The plain directory where making the copy counts."""

    name = "cp"
    title = "cp -a"
    reference = False


class Way(Side):
    """A way to copy a cluster that only some workloads know how to take, and that they take themselves."""

    reference = False

    def fork(self, key, name):
        raise NotImplementedError


class BaseBackup(Way):
    name = "pg_basebackup"
    title = "pg_basebackup"


class Template(Way):
    name = "createdb"
    title = "createdb --template"


class BranchFsUrl(Way):
    name = "branchfs-url"
    title = "branchfs import --url"


SIDES = (Side, BranchFs, BranchFsUring, BranchFsWritethrough, BranchFsOwn, OverlayFs, FuseOverlayFs, Btrfs, Xfs, Copy, BaseBackup, BranchFsUrl, Template)
