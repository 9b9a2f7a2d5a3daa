"""Workloads by name, in the order in which a full run takes them."""

import importlib

ORDER = ("create", "ready", "pgbench", "scan", "bulk", "checkpoint", "depth", "growth", "scale", "import", "latency", "masking",
         "micro")


def load(name):
    # `import` is no name for a module.
    return importlib.import_module(f"workloads.{'import_workload' if name == 'import' else name}").WORKLOAD
