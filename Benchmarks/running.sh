#!/bin/bash
# Makes two tars of a cluster of Postgres in the current directory, of about 17 MB for each of SCALE:
# `online.tar`, a backup while pgbench changes about 1 % of the pages, and `clean.tar`, the same after a shutdown.
#
#     running.sh BINDIR SCALE
set -euo pipefail

programs=$1
scale=$2
drop=()
if [[ $(id -u) == 0 ]]; then
  drop=(setpriv --reuid nobody --clear-groups)
  chown nobody .
fi
run() { "${drop[@]}" "$programs/$1" "${@:2}"; }
stop() { run pg_ctl -D "$PWD/data" -w -m "$1" stop > /dev/null; }

run initdb -D "$PWD/data" -U postgres -A trust --no-sync > initdb.log
cat >> data/postgresql.conf <<SETTINGS
autovacuum = off
checkpoint_timeout = 1h
fsync = off
listen_addresses = ''
max_wal_size = 16GB
shared_buffers = 256MB
unix_socket_directories = '$PWD'
SETTINGS
run pg_ctl -D "$PWD/data" -w -l "$PWD/server.log" start > /dev/null
trap 'stop immediate || true' EXIT
run pgbench -h "$PWD" -U postgres -i -q -s "$scale" postgres 2> pgbench.log
run pg_basebackup -h "$PWD" -U postgres -c fast --no-sync -D - -Ft -X fetch --max-rate 256M > online.tar &
backup=$!
until [[ -s online.tar ]]; do sleep 0.1; done
# Each transaction changes a page of an account that nearly always is another one, and few others.
run pgbench -h "$PWD" -U postgres -n -c 2 -t $((scale * 10)) postgres > load.log 2>&1
wait $backup
trap - EXIT
stop fast
tar -C data --exclude './pg_wal/0*' -cf clean.tar .
rm -r data
