"""Stopped clusters that forks are made of, by key: a number is a pgbench scale, a word one of KINDS."""

from postgres import Server
from system import as_server_user, give_to_server_user, run

GIB = 1 << 30
# What is added to a small cluster: files whose only purpose is to be there.
KINDS = {"100m": (100 << 20, 0), "1g": (GIB, 0), "8g": (8 * GIB, 0), "files": (100 << 20, 10_000)}


def make(bench, key):
    """Returns the data directory."""
    directory = bench.new_directory("cluster")
    give_to_server_user(directory)
    data = directory / "data"
    run(*as_server_user(bench.pgbin / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                        "--data-checksums", "--no-sync"), cwd="/")
    server = Server(bench, data, settings={"fsync": "off", "min_wal_size": "32MB", "max_wal_size": "64MB"})
    server.start()
    run(bench.pgbin / "pgbench", *server.connection(), "-i", "-q", "-s", key if isinstance(key, int) else 1, "postgres")
    # Hint bits and the visibility map are set now, not by whichever side reads first.
    server.sql("VACUUM (FREEZE, ANALYZE)", "CHECKPOINT")
    server.stop()
    if key in KINDS:
        _pad(data, *KINDS[key])
    return data


def _pad(data, size, files):
    """Brings the directory to about `size` bytes with relation-like files of at most 1 GiB, and adds small ones."""
    have = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    place = data / "base" / "1"
    # Half of each block varies: it neither compresses to nothing nor equals another one.
    half = bytes(range(256)) * 16
    number, left = 0, size - have
    while left > 0:
        path = place / f"9{number:07d}"
        length = min(left, GIB)
        with open(path, "wb") as file:
            for block in range(length // 8192):
                file.write((number << 32 | block).to_bytes(8, "little") * 512 + half)
        give_to_server_user(path)
        number, left = number + 1, left - length
    for small in range(files):
        path = place / f"8{small:07d}"
        path.write_bytes(small.to_bytes(8, "little") * 1024)
        give_to_server_user(path)
