"""The engine's inner loops by themselves, through the public headers of layers/: Google Benchmark, CPU time."""

import json

from system import run
from workload import Figure, Workload


class Micro(Workload):
    name = "micro"
    title = "micro benchmarks"
    reference = None
    sides = ("branchfs",)
    few_rounds = True
    figures = {
        "map_lookup_uniform": Figure("block map: lookup in an untouched file", "ns"),
        "map_lookup_mixed": Figure("block map: lookup in a file of 1 GiB with 100,000 blocks of its own", "ns"),
        "map_set": Figure("block map: one block becomes the branch's own", "ns"),
        "layer_extent": Figure("layer: extent of a block of a file of 128 MiB", "ns"),
        "journal_append": Figure("journal: append of one present block", "ns"),
        "journal_append_sync": Figure("journal: append + sync (wall time, with the disk's)", "ns"),
        "journal_replay": Figure("journal: replay, per record", "ns"),
        "chunk_read": Figure("layer: read of one chunk, decompressed and verified", "ns"),
        "chunk_read_block": Figure("layer: read of one block of a chunk", "ns"),
        "checksum_8k": Figure("checksum of 8 KiB", "ns"),
        "checksum_128k": Figure("checksum of 128 KiB", "ns"),
    }

    def why_not(self, bench):
        return None if bench.program("engine-bench", may_lack=True) else "engine-bench is not built (libbenchmark-dev)"

    def estimate(self, bench, side):
        return 15

    def round(self, bench, sides, number):
        out = run(bench.program("engine-bench"), "--benchmark_format=json", f"--benchmark_min_time={0.1 if bench.quick else 0.4}",
                  env=dict(bench.environment(), TMPDIR=str(bench.scratch.path)))
        figures = {}
        for line in json.loads(out)["benchmarks"]:
            name = line["name"].split("/")[0]
            value = line["real_time" if name == "journal_append_sync" else "cpu_time"]
            figures[name] = value / line.get("per_iteration", 1)
        return {"branchfs": figures}


WORKLOAD = Micro()
