"""A branch of a branch of a branch …, each of which wrote something: what 64 of them below cost, before and after pack."""

import os
from random import Random

from sides import BranchFs
from system import run
from workload import Figure, Step, Turns
from workloads.latency import largest_file
from workloads.pgbench import warm

DEPTH = 64


class Depth(Turns):
    name = "depth"
    title = "a branch 64 deep"
    reference = "depth-1"
    ours = ("depth-64",)
    sides = ("branchfs",)
    few_rounds = True
    figures = {
        "tpcb": Figure("TPC-B, 4 clients", "tps", True, at_least=0.90),
        "select_cached": Figure("select-only in cache, 4 clients", "tps", True, at_least=0.90),
        "select_cold": Figure("select-only from a cold cache, 4 clients", "tps", True, at_least=0.90),
        "scan_cold": Figure("sequential scan from a cold cache", "s", at_least=0.90),
        "update": Figure("UPDATE of every tenth row", "s", at_least=0.90),
    }

    def scale(self, bench):
        return 4 if bench.quick else 20

    def estimate(self, bench, side):
        return 70 if bench.quick else 110

    def steps(self, bench):
        seconds = 3 if bench.quick else 5

        def clients(*more):
            return lambda server, number: server.pgbench("-c", 4, "-j", 2, "--random-seed", 1000 + number, *more)

        return [
            Step("scan_cold", lambda server, _: server.timed("SELECT sum(abalance) FROM pgbench_accounts"), repeats=2, cold=True),
            Step("select_cold", clients("-S", "-t", 1000 if bench.quick else 2500), cold=True),
            Step("select_cached", clients("-S", "-T", seconds), repeats=2, before=warm),
            Step("tpcb", clients("-T", seconds), repeats=2),
            Step("update", lambda server, _: server.timed("UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid % 10 = 3"),
                 before=lambda server, _: server.sql("CHECKPOINT")),
        ]

    def round(self, bench, sides, number):
        (side,) = sides
        parents = bench.once(("depth", side.name), lambda: self._chain(bench, side))
        return super().round(bench, [Level(bench, side, level, *place) for level, place in parents.items()], number)

    def _chain(self, bench, side):
        """{name in the results: (store, branch to fork)}. The packed chain is a copy: pack changes what all branches share."""
        tip = self._descend(bench, side)
        packed = side.home / "store-packed"
        run("cp", "-a", side.store, packed)
        copy = Level(bench, side, "depth-64-packed", packed, tip)
        # What is open is packed once somebody branches from it.
        copy.command("create", "packed-tip", "--from", tip)
        copy.command("pack", "packed-tip")
        return {"depth-1": (side.store, side.base(self.scale(bench))), "depth-64": (side.store, tip),
                "depth-64-packed": (packed, "packed-tip")}

    def _descend(self, bench, side):
        """Each level makes some of the table's pages its own, as they are: all levels show the same."""
        parent = side.base(self.scale(bench))
        random = Random(1)
        # The fork of the last one is level 64.
        for level in range(1, DEPTH):
            name = f"deep{level}"
            side.command("create", name, "--from", parent)
            with open(largest_file(side.mount(name)), "r+b", buffering=0) as file:
                blocks = os.fstat(file.fileno()).st_size // 8192
                for block in random.sample(range(blocks), blocks // DEPTH):
                    os.pwrite(file.fileno(), os.pread(file.fileno(), 8192, block * 8192), block * 8192)
                os.fsync(file.fileno())
            side.umount(name)
            parent = name
        return parent


class Level(BranchFs):
    """Forks of one branch, under a name of its own in the results."""

    def __init__(self, bench, side, name, store, parent):
        super().__init__(bench)
        self.name, self.home, self.store, self._parent = name, side.home, store, parent
        self.environment["BRANCHFS_STORE"] = str(store)
        self.mount_options = side.mount_options

    def fork(self, key, name):
        return super().fork(key, f"{name}-{self.name}")

    def base(self, key):
        return self._parent

    def remove(self, name):
        super().remove(f"{name}-{self.name}")

    def cool(self, name):
        super().cool(f"{name}-{self.name}")


WORKLOAD = Depth()
