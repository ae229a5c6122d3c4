#!/bin/bash
# pgbackrest verify finds a damaged and a missing file, prints nothing, and exits with 0.
#
# Versions: pgBackRest 2.45, Postgres 15.20 (Debian 12).
#
# 'pgbackrest verify' reads all of a repository and compares it with the checksums of its
# manifests. One would guess that it fails if a backup is damaged, as pg_verifybackup does. It
# exits with 0 and prints nothing, whether the backup is intact, has a file with a changed byte, or
# lacks a file. 'info' reports 'status: ok' as well, since it does not read the files. Damage is
# reported only with --output=text, on standard output, and the exit code is 0 even then. A changed
# byte may also pass 'zstd -t', since pgBackRest compresses without zstd's own checksum.
# A script that runs verify before it processes a backup must read its text.
source "$(dirname "$0")/common.bash"

install_postgres_15
debian pgbackrest=2.45-1
"${as_user[@]}" mkdir logs locks spool
cat >pgbackrest.conf <<EOF
[global]
repo1-path=$work/shared/repository
log-path=$work/shared/logs
lock-path=$work/shared/locks
spool-path=$work/shared/spool
compress-type=zst
start-fast=y
repo1-retention-full=1
[main]
pg1-path=$work/shared/cluster
pg1-socket-path=$work/shared
pg1-user=postgres
EOF
command=("$root/usr/bin/pgbackrest" --config "$work/shared/pgbackrest.conf" --stanza main)
pgbackrest() {
  "${as_user[@]}" "${command[@]}" "$@"
}

create_cluster cluster
"${as_user[@]}" tee -a cluster/postgresql.conf >/dev/null <<EOF
archive_mode = on
archive_command = '${command[*]} archive-push %p'
EOF
start_cluster cluster
pgbackrest stanza-create
pgbackrest --type full --log-level-console error backup
files=$(echo repository/backup/main/*F/pg_data)

expect 'exit code of verify, intact' 0 "$(code pgbackrest verify)"
expect 'its output' '' "$(cat output)"
expect 'exit code of verify with text, intact' 0 "$(code pgbackrest --output text verify)"
expect 'its output' '' "$(cat output)"

expect "zstd's checksum flag in a file of the backup" 0 \
  $(($("${as_user[@]}" cat "$files/base/1/1259.zst" |
    od --address-radix n --format u1 --skip-bytes 4 --read-bytes 1) & 0x04))
printf X | "${as_user[@]}" dd of="$files/base/1/1259.zst" bs=1 seek=1000 conv=notrunc status=none
"${as_user[@]}" rm "$files/base/1/1247.zst"
expect 'exit code of verify, a file damaged and one missing' 0 "$(code pgbackrest verify)"
expect 'its output' '' "$(cat output)"
expect 'exit code of info' 0 "$(code pgbackrest info)"
expect 'its status' 'status: ok' "$(grep -o 'status: [a-z]*' output)"
expect 'exit code of verify with text' 0 "$(code pgbackrest --output text verify)"
expect 'its status' 'status: error' "$(grep -o '^status: [a-z]*' output)"
expect 'its counts' 'missing: 1, checksum invalid: 1' \
  "$(grep -o 'missing: 1, checksum invalid: 1' output)"
