"""What changes cost: bytes that a copy takes more after updates of random rows and after many small transactions."""

import os

from postgres import Server
from workload import EVERY_DIRECTORY, Figure, Workload

SHARES = {"0.1": 0.001, "1": 0.01, "10": 0.1}


class Growth(Workload):
    name = "growth"
    title = "bytes added by changes (with write-ahead log; a plain directory's: the whole copy)"
    sides = EVERY_DIRECTORY
    few_rounds = True
    figures = {
        "fresh": Figure("a fresh copy", "bytes"),
        **{f"update_{share}{packed}": Figure(f"after UPDATE of {share} % of the rows, chosen at random{', packed' if packed else ''}",
                                             "bytes") for share in SHARES for packed in ("", "_packed")},
        "hour": Figure("after an hour of TPC-B at 10 transactions a second", "bytes"),
        "hour_packed": Figure("after an hour of TPC-B at 10 transactions a second, packed", "bytes"),
    }

    def scale(self, bench):
        return 4 if bench.quick else 10

    def estimate(self, bench, side):
        return 14 if bench.quick else 25

    def round(self, bench, sides, number):
        rows = 100_000 * self.scale(bench)

        def update(share):
            return lambda server: server.sql(f"SELECT setseed(0.{number + 1})",
                                             f"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE random() < {share}")

        transactions = 3600 if bench.quick else 36000
        changes = {f"update_{name}": update(share) for name, share in SHARES.items()}
        changes["hour"] = lambda server: server.pgbench("-c", "4", "-j", "2", "-t", transactions // 4, "--random-seed", number + 1)
        figures = {side.name: {} for side in sides}
        for side in sides:
            for figure, change in changes.items():
                figures[side.name].update(self._measure(bench, side, figure, change, f"growth{number}-{len(figures[side.name])}"))
        return figures

    def _measure(self, bench, side, figure, change, name):
        side.base(self.scale(bench))
        before = side.used()
        data = side.fork(self.scale(bench), name)
        os.sync()
        fresh = side.used() - before
        # WAL is cut at each checkpoint, as in a branch that lives for an hour.
        server = Server(bench, data, settings={"min_wal_size": "32MB", "max_wal_size": "1GB", "fsync": "off"})
        server.start()
        change(server)
        server.sql("CHECKPOINT")
        server.stop()
        os.sync()
        found = {"fresh": fresh, figure: side.used() - before}
        if side.name.startswith("branchfs"):
            # What is open is packed once somebody branches from it.
            side.umount(name)
            side.command("create", f"{name}-child", "--from", name)
            side.command("pack", name)
            side.command("gc")
            found[f"{figure}_packed"] = side.used() - before
            side.command("delete", f"{name}-child")
            side.mount(name)
        side.remove(name)
        if side.name.startswith("branchfs"):
            side.command("gc")
        return found


WORKLOAD = Growth()
