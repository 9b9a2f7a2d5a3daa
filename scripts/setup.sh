#!/usr/bin/env bash
# Installs what branchfs needs to build and to run, from the distribution's own packages (Debian 12 or
# later, Ubuntu 24.04 or later). Does nothing when everything is there. Adds no package source, removes no
# package, and neither creates nor starts a database cluster.
set -euo pipefail

readonly build_packages=(
  g++ cmake ninja-build pkg-config ccache dpkg-dev
  libfuse3-dev liburing-dev liblz4-dev libxxhash-dev libpq-dev libarchive-dev libyaml-cpp-dev libssl-dev
  meson libnuma-dev # for scripts/libfuse.sh
  libcli11-dev nlohmann-json3-dev libspdlog-dev libfmt-dev catch2
  e2fsprogs xfsprogs btrfs-progs mount # for the tests: stores on small disks
)
readonly run_packages=(fuse3 postgresql)
# Only with --bench: what scripts/bench.sh runs and compares with.
readonly bench_packages=(python3 gnuplot-nox libbenchmark-dev fuse-overlayfs btrfs-progs xfsprogs mount)

# Only with --fuzz: what scripts/fuzz.sh compiles with.
readonly fuzz_packages=(clang)

# Only with --coverage: what scripts/coverage.sh counts with.
readonly coverage_packages=(gcovr)

# The server headers for the masking module, of every major that is installed or that `postgresql` will bring.
server_headers() {
  local postgres majors=""
  for postgres in /usr/lib/postgresql/*/bin/postgres; do
    [[ -x $postgres ]] && majors+=" $(basename "${postgres%/bin/postgres}")"
  done
  if [[ -z $majors ]] && command -v apt-cache > /dev/null; then
    majors=$(apt-cache depends postgresql 2> /dev/null | sed -nE 's/^ *Depends: postgresql-([0-9]+)$/\1/p')
  fi
  local major
  for major in $majors; do printf 'postgresql-server-dev-%s\n' "$major"; done
}

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [--bench] [--fuzz] [--coverage] [--list]
  Installs the Debian or Ubuntu packages that building and running branchfs needs.
  --bench     also those of scripts/bench.sh
  --fuzz      also those of scripts/fuzz.sh
  --coverage  also those of scripts/coverage.sh
  --list      print their names and exit
  BRANCHFS_SKIP_SETUP=1 in the environment: do nothing
TEXT
}

wanted=("${build_packages[@]}" "${run_packages[@]}")
while :; do
  case ${1:-} in
    --bench) wanted+=("${bench_packages[@]}") ;;
    --fuzz) wanted+=("${fuzz_packages[@]}") ;;
    --coverage) wanted+=("${coverage_packages[@]}") ;;
    *) break ;;
  esac
  shift
done

case "${1:-}" in
  "") if [[ -n ${BRANCHFS_SKIP_SETUP:-} ]]; then exit 0; fi ;;
  --list) printf '%s\n' "${wanted[@]}"; server_headers; exit 0 ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
  die "this is not a Debian or Ubuntu system: install the equivalents of what 'scripts/setup.sh --list' names," \
    "then run with BRANCHFS_SKIP_SETUP=1"
fi

# A server that did not come from the metapackage `postgresql` (another major, the PGDG archive) is as good:
# asking for the metapackage would add a second major.
have_postgres() {
  local bin
  for bin in /usr/lib/postgresql/*/bin; do
    [[ -x $bin/postgres && -x $bin/initdb && -x $bin/pgbench ]] && return 0
  done
  return 1
}

missing_packages() {
  local -A installed=()
  local status name headers
  mapfile -t headers < <(server_headers)
  while read -r status name; do
    [[ $status == installed ]] && installed[$name]=1
  done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" "${headers[@]}" 2> /dev/null || true)
  for name in "${wanted[@]}" "${headers[@]}"; do
    [[ -n ${installed[$name]:-} ]] && continue
    [[ $name == postgresql ]] && have_postgres && continue
    printf '%s\n' "$name"
  done
}

mapfile -t missing < <(missing_packages)
if ((${#missing[@]} == 0)); then
  say "everything is installed"
  exit 0
fi
say "to install: ${missing[*]}"

root=()
if ((EUID != 0)); then
  if command -v sudo > /dev/null && { sudo -n true 2> /dev/null || [[ -t 0 ]]; }; then
    root=(sudo)
  else
    die "installing packages needs root and there is no sudo here; ask for: apt-get install ${missing[*]}"
  fi
fi
as_root() { "${root[@]}" "$@"; }

log=$(mktemp "${TMPDIR:-/tmp}/branchfs-setup.XXXXXX")
no_cluster=/etc/postgresql-common/createcluster.d/zz-branchfs-setup.conf
placed=no

cleanup() {
  if [[ $placed == yes ]]; then as_root rm -f "$no_cluster"; fi
  rm -f "$log"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Installing Debian's postgresql package creates and starts a cluster called `main`; nobody asked for one.
# The file says so for the time of the installation only: later `apt install postgresql-NN` behaves as usual.
forbid_default_cluster() {
  as_root mkdir -p "${no_cluster%/*}"
  placed=yes
  printf 'create_main_cluster = false\n' | as_root tee "$no_cluster" > /dev/null
}

apt() {
  # `env`, because sudo drops the environment. --no-remove: a conflict is the administrator's to decide.
  as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C UCF_FORCE_CONFFOLD=1 \
    apt-get -q -y --no-remove -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" < /dev/null > "$log" 2>&1
}

for name in "${missing[@]}"; do
  if [[ $name == postgresql ]]; then forbid_default_cluster; fi
done

say "reading the package lists"
apt update || say "apt-get update had errors, going on with the lists that are here: $(grep -m1 '^[EW]:' "$log" || true)"

say "installing ${#missing[@]} packages and what they need (a few minutes on a new machine)"
if ! apt install --no-install-recommends "${missing[@]}"; then
  tail -n 25 "$log" >&2
  die "apt-get could not install the packages, its last lines are above; by hand: apt-get install ${missing[*]}"
fi

mapfile -t missing < <(missing_packages)
((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
# fusermount3 looks there for what it is to unmount. A booted system has it, an image without an init may not.
if [[ ! -e /etc/mtab ]]; then as_root ln -s ../proc/self/mounts /etc/mtab; fi
say "done"
