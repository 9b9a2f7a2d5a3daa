"""A branch of a branch of a branch …, each of which wrote something: what 64 of them below cost, before and after pack."""

from postgres import Server
from sides import BranchFs
from workload import Figure, Step, Turns
from workloads.pgbench import warm

DEPTH = 64


class Depth(Turns):
    name = "depth"
    title = "a branch 64 deep"
    reference = "depth-1"
    sides = ("branchfs",)
    figures = {
        "tpcb": Figure("TPC-B, 4 clients", "tps", True, at_least=0.90),
        "select_cached": Figure("select-only in cache, 4 clients", "tps", True, at_least=0.90),
        "select_cold": Figure("select-only from a cold cache, 4 clients", "tps", True, at_least=0.90),
        "scan_cold": Figure("sequential scan from a cold cache", "s", at_least=0.90),
        "update": Figure("UPDATE of every tenth row", "s", at_least=0.90),
    }

    def scale(self, bench):
        return 4 if bench.quick else 20

    def estimate(self, bench):
        return 60 if bench.quick else 150

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
        return super().round(bench, [Level(bench, side, level, parent) for level, parent in parents.items()], number)

    def _chain(self, bench, side):
        """Two chains, the second packed: {name of the side in the results: branch to fork}."""
        return {"depth-1": side.base(self.scale(bench)), "depth-64": self._descend(bench, side, "deep"),
                "depth-64-packed": self._pack(side, self._descend(bench, side, "packed"))}

    def _descend(self, bench, side, prefix):
        parent = side.base(self.scale(bench))
        rows = 100_000 * self.scale(bench)
        # The fork of the last one is level 64.
        for level in range(1, DEPTH):
            name = f"{prefix}{level}"
            side.command("create", name, "--from", parent)
            server = Server(bench, side.mount(name), settings={"fsync": "off", "max_wal_size": "64MB", "min_wal_size": "32MB"})
            server.start()
            server.sql(f"UPDATE pgbench_accounts SET abalance = {level} WHERE aid IN "
                       f"(SELECT 1 + (i * 7919::bigint + {level} * 104729) % {rows} FROM generate_series(1, {rows // 500}) i)")
            server.stop()
            side.umount(name)
            parent = name
        return parent

    def _pack(self, side, name):
        # What is open is packed once somebody branches from it.
        side.command("create", f"{name}-tip", "--from", name)
        side.command("pack", f"{name}-tip")
        return f"{name}-tip"


class Level(BranchFs):
    """Forks of one branch, under a name of its own in the results."""

    def __init__(self, bench, side, name, parent):
        super().__init__(bench)
        self.name, self._parent = name, parent
        self.home, self.store, self.environment = side.home, side.store, side.environment
        self.mount_options = side.mount_options
        self.reference = name == "depth-1"

    def fork(self, key, name):
        return super().fork(key, f"{name}-{self.name}")

    def base(self, key):
        return self._parent

    def remove(self, name):
        super().remove(f"{name}-{self.name}")

    def cool(self, name):
        super().cool(f"{name}-{self.name}")


WORKLOAD = Depth()
