"""Transactions: TPC-B with its fsync per commit, and lookups by key from memory and from the disk."""

from workload import EVERY_DIRECTORY, Figure, Step, Turns


class Pgbench(Turns):
    name = "pgbench"
    title = "pgbench"
    sides = EVERY_DIRECTORY
    writes = ("tpcb_1", "tpcb_4", "tpcb_16")
    figures = {
        "tpcb_1": Figure("TPC-B, 1 client", "tps", True),
        "tpcb_4": Figure("TPC-B, 4 clients", "tps", True, at_least=0.90),
        "tpcb_16": Figure("TPC-B, 16 clients", "tps", True, at_least=0.95),
        "select_cached": Figure("select-only in cache, 4 clients", "tps", True, at_least=0.97),
        "select_cold": Figure("select-only from a cold cache, 4 clients", "tps", True, at_least=1.00),
    }

    def scale(self, bench):
        return 20 if bench.quick else 50

    def steps(self, bench):
        seconds, repeats = (2, 2) if bench.quick else (4, 2)

        def clients(count, *more):
            threads = min(count, 2)
            return lambda server, number: server.pgbench("-c", count, "-j", threads, "--random-seed", 1000 + number, *more)

        # A fixed number of lookups: what a second more would read is cached by then.
        lookups = 1000 if bench.quick else 2500
        return [
            Step("select_cold", clients(4, "-S", "-t", lookups), cold=True),
            Step("select_cached", clients(4, "-S", "-T", seconds), repeats, before=warm),
            Step("tpcb_4", clients(4, "-T", seconds), repeats),
            Step("tpcb_16", clients(16, "-T", seconds), repeats),
            Step("tpcb_1", clients(1, "-T", seconds), repeats),
        ]

    def estimate(self, bench, side):
        return 22 if bench.quick else 48


def warm(server, _):
    server.sql("SELECT count(abalance) FROM pgbench_accounts")


WORKLOAD = Pgbench()
