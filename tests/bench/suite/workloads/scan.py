"""Sequential scans: from the disk, from the page cache, and with the table in the server's own buffers out of the way."""

from workload import EVERY_DIRECTORY, Figure, Step, Turns


class Scan(Turns):
    name = "scan"
    title = "sequential scan"
    sides = EVERY_DIRECTORY
    figures = {
        "cold": Figure("sequential scan from a cold cache", "s", at_least=1.00),
        "warm": Figure("sequential scan from the page cache", "s"),
    }

    def scale(self, bench):
        return 20 if bench.quick else 50

    def steps(self, bench):
        def scan(server, _):
            return server.timed("SELECT sum(abalance) FROM pgbench_accounts")

        return [
            Step("cold", scan, repeats=2, cold=True),
            Step("warm", scan, repeats=3, before=scan),
        ]

    def estimate(self, bench, side):
        return 6 if bench.quick else 10


WORKLOAD = Scan()
