"""From nothing to an answered query: a copy of a cluster, its server started, SELECT 1. And what the copy takes then."""

from postgres import Server
from system import Timer, give_to_server_user, run, stored_bytes
from workload import EVERY_DIRECTORY, Figure, Workload

# As `branchfs start` runs it: the directory's own configuration, besides where it listens.
OWN = {name: None for name in ("shared_buffers", "max_wal_size", "min_wal_size", "checkpoint_timeout", "autovacuum", "jit",
                               "max_parallel_workers_per_gather", "max_parallel_maintenance_workers", "maintenance_work_mem",
                               "update_process_title", "wal_recycle", "wal_init_zero")}


class Ready(Workload):
    name = "ready"
    title = "time to a server that answers"
    # Which transport the command uses is its own to choose.
    sides = tuple(side for side in EVERY_DIRECTORY if side not in ("branchfs-own", "branchfs-uring")) + ("cp", "pg_basebackup", "createdb")
    all_in_quick = True
    figures = {
        "ready": Figure("copy or branch, start, first answer (plain directory: pg_ctl start alone)", "s"),
        "of_limit": Figure("the same / (1.3 × plain pg_ctl start + 50 ms)", "x", at_most=1.0),
        "owned": Figure("bytes that it takes right after", "bytes"),
    }

    def scale(self, bench):
        return 20 if bench.quick else 50

    def estimate(self, bench, side):
        return 3 if bench.quick else 4

    def round(self, bench, sides, number):
        name = f"ready{number}"
        figures = {}
        for side in sides if number % 2 else sides[::-1]:
            if side.name in ("pg_basebackup", "createdb"):
                figures[side.name] = self._from_running(bench, side, name)
            elif side.name.startswith("branchfs"):
                figures[side.name] = self._command(bench, side, name)
            else:
                figures[side.name] = self._start(bench, side, name)
        plain = figures.get("plain", {}).get("ready")
        for side in sides:
            if plain and side.name.startswith("branchfs"):
                figures[side.name]["of_limit"] = figures[side.name]["ready"] / (1.3 * plain + 0.05)
        return figures

    def _command(self, bench, side, name):
        base = side.base(self.scale(bench))
        before = side.used()
        bench.branches.append((side, name))
        with Timer() as timer:
            url = side.command("create", name, "--from", base, "--start").split()[-1]
            run(bench.pgbin / "psql", "-XAtq", "-c", "SELECT 1", url)
        owned = side.used() - before
        side.command("delete", name)
        bench.branches.remove((side, name))
        return {"ready": timer.seconds, "owned": owned}

    def _start(self, bench, side, name):
        """For the plain directory the copy is there already."""
        key = self.scale(bench)
        side.base(key)
        before = side.used()
        data = side.fork(key, name) if side.reference else None
        with Timer() as timer:
            data = data or side.fork(key, name)
            server = Server(bench, data, settings=OWN)
            server.start()
            server.answers()
        owned = side.used() - before
        server.stop("immediate")
        side.remove(name)
        return {"ready": timer.seconds, "owned": owned}

    def _from_running(self, bench, side, name):
        """Ways that need a running source, which is not counted."""
        source = bench.source(self.scale(bench))
        server = Server(bench, source, settings={**OWN, "wal_level": "replica", "max_wal_senders": "4"})
        server.start()
        try:
            return (self._base_backup if side.name == "pg_basebackup" else self._template)(bench, server, name)
        finally:
            server.stop()

    def _base_backup(self, bench, source, name):
        target = bench.new_directory(name)
        give_to_server_user(target)
        target.chmod(0o700)
        with Timer() as timer:
            source.base_backup(target)
            server = Server(bench, target, settings=OWN)
            server.start()
            server.answers()
        owned = stored_bytes(target)
        server.stop("immediate")
        bench.remove_directory(target)
        return {"ready": timer.seconds, "owned": owned}

    def _template(self, bench, source, name):
        before = stored_bytes(source.data)
        with Timer() as timer:
            run(bench.pgbin / "createdb", *source.connection(), "--maintenance-db", "template1", "--template", "postgres", name)
            run(bench.pgbin / "psql", *source.connection(), "-XAtq", "-d", name, "-c", "SELECT 1")
        owned = stored_bytes(source.data) - before
        run(bench.pgbin / "dropdb", *source.connection(), name)
        return {"ready": timer.seconds, "owned": owned}


WORKLOAD = Ready()
