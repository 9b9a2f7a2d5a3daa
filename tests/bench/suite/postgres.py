"""Servers of the suite: one data directory, a private socket, the same settings on every side."""

import os
import pathlib
import re

from system import Failed, as_server_user, give_to_server_user, run

# Room enough that no checkpoint falls into a timed step; nothing starts by itself; the rest is Postgres's default,
# fsync and full_page_writes included.
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "shared_buffers": "256MB",
    "max_wal_size": "16GB",
    "min_wal_size": "1GB",
    "checkpoint_timeout": "1d",
    "autovacuum": "off",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "maintenance_work_mem": "256MB",
    "jit": "off",
    "archive_mode": "off",
    "logging_collector": "off",
    "update_process_title": "off",
    # branchfs turns both off in the branches it makes (see the side branchfs-own); here all sides have Postgres's default.
    "wal_recycle": "on",
    "wal_init_zero": "on",
}


def programs():
    """The newest installed server's directory of programs."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"), key=lambda path: float(path.parts[-3]))
    if not found:
        raise Failed("cannot measure: no PostgreSQL server programs in /usr/lib/postgresql (run scripts/setup.sh)")
    return found[-1].parent


class Server:
    """A server on a data directory. Started and stopped by its owner; stop() on a stopped one does nothing."""

    def __init__(self, bench, data, database="postgres", settings=None):
        self._bench = bench
        self._bin = bench.pgbin
        self.data = pathlib.Path(data)
        self.database = database
        # None: as the data directory's own configuration has it.
        self._settings = {name: value for name, value in {**SETTINGS, **(settings or {})}.items() if value is not None}
        self.sockets = bench.new_directory("s")
        give_to_server_user(self.sockets)
        self.running = False

    def start(self):
        options = dict(self._settings, unix_socket_directories=self.sockets)
        words = " ".join(f"-c {name}={value if value != '' else chr(39) * 2}" for name, value in options.items())
        # Noted before: an interruption must not leave it behind.
        if not self.running:
            self.running = True
            self._bench.servers.append(self)
        run(*as_server_user(self._bin / "pg_ctl", "-D", self.data, "-w", "-s", "-t", "120", "-l", self.sockets / "log",
                            "-o", words, "start"), cwd="/")

    def stop(self, mode="fast"):
        if not self.running:
            return
        run(*as_server_user(self._bin / "pg_ctl", "-D", self.data, "-w", "-s", "-t", "300", "-m", mode, "stop"), cwd="/")
        self.running = False
        self._bench.servers.remove(self)

    def may_run(self):
        """False when it did not start, and when its directory's mount died and took it along."""
        return os.path.exists(self.data / "postmaster.pid")

    def connection(self):
        return ("-h", self.sockets, "-U", "postgres")

    def answers(self):
        """Waits until SELECT 1 is answered."""
        self.sql("SELECT 1")

    def sql(self, *statements):
        """Runs statements, returns what they print."""
        return run(self._bin / "psql", *self.connection(), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.database,
                   input=";\n".join(statements) + ";\n")

    def timed(self, *statements, before=()):
        """Seconds that the server needed for the statements, as psql measures them; `before` is not counted."""
        text = "".join(f"{statement};\n" for statement in before) + "\\timing on\n"
        text += "".join(f"{statement};\n" for statement in statements)
        out = run(self._bin / "psql", *self.connection(), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.database, input=text)
        times = re.findall(r"^Time: ([0-9.]+) ms", out, re.MULTILINE)
        if len(times) != len(statements):
            raise Failed(f"psql printed {len(times)} times for {len(statements)} statements")
        return sum(map(float, times)) / 1000

    def pgbench(self, *options):
        """Transactions per second, connections not counted."""
        out = run(self._bin / "pgbench", *self.connection(), "-n", *options, self.database)
        found = re.search(r"^tps = ([0-9.]+)", out, re.MULTILINE)
        if not found or re.search(r"aborted|number of failed transactions: [1-9]", out):
            raise Failed(f"pgbench did not end well: {out.strip()[-200:]}")
        return float(found.group(1))

    def base_backup(self, target):
        run(*as_server_user(self._bin / "pg_basebackup", *self.connection(), "-D", target, "-X", "stream", "--checkpoint=fast"), cwd="/")
