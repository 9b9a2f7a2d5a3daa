"""Single operations of one process on a data directory of each side, without a server: percentiles."""

import json

from system import drop_caches, run, why_no_cold_cache
from workload import EVERY_DIRECTORY, Figure, Workload

OPERATIONS = {
    "write": "write of 8 KiB",
    "write_sync": "write of 8 KiB + fdatasync",
    "append": "write of 8 KiB that extends a file",
    "read_cached": "read of 8 KiB, cached",
    "read_cold": "read of 8 KiB, from a cold cache",
    "create_unlink": "create + unlink",
    "stat": "stat",
}


class Latency(Workload):
    name = "latency"
    title = "latency of single operations"
    sides = tuple(side for side in EVERY_DIRECTORY if side != "branchfs-own")
    figures = {f"{operation}_{share}": Figure(f"{text}, {share}", "us")
               for operation, text in OPERATIONS.items() for share in ("p50", "p95", "p99")}

    def scale(self, bench):
        return 4 if bench.quick else 10

    def estimate(self, bench, side):
        return 5 if bench.quick else 8

    def round(self, bench, sides, number):
        name = f"latency{number}"
        figures = {side.name: {} for side in sides}
        forks = {side.name: side.fork(self.scale(bench), name) for side in sides}
        count = 1000 if bench.quick else 4000

        def measure(side, operation, path):
            out = run(bench.program("op-latency-bench"), operation, path, count, number + 1)
            figures[side.name].update((f"{operation}_{share}", value) for share, value in json.loads(out).items())

        for turn, operation in enumerate(OPERATIONS):
            if operation == "read_cold" and why_no_cold_cache():
                continue
            for side in sides if (turn + number) % 2 else sides[::-1]:
                data = forks[side.name]
                path = data if operation in ("create_unlink", "append", "stat") else largest_file(data)
                if operation == "read_cold":
                    side.cool(name)
                    drop_caches()
                measure(side, operation, path)
        for side in sides:
            side.remove(name)
        return figures


def largest_file(data):
    return max((path for path in (data / "base").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


WORKLOAD = Latency()
