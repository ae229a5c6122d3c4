#!/bin/bash
# pg_basebackup compresses with lz4 and zstd, but asks for no checksum.
#
# Versions: Postgres 15.20, lz4 1.9.4, zstd 1.5.4 (Debian 12).
#
# The programs lz4 and zstd put a checksum of the contents into each file that they write, and
# gzip's format always has one. So one would guess that 'zstd -t base.tar.zst' tells whether a
# base backup is intact. It does not: the files of pg_basebackup have no checksum, be they
# compressed by the client or by the server, so there is nothing to compare the contents with.
# Who stores or moves such backups must keep backup_manifest with them, since its checksums are
# the only ones, or compress outside pg_basebackup.
source "$(dirname "$0")/common.bash"

install_postgres_15
debian lz4=1.9.4-1 zstd=1.5.4+dfsg2-5
create_cluster cluster
start_cluster cluster

# The byte after the magic number has the flags: of lz4 0x04 (contents) and 0x10 (blocks), of zstd
# 0x04.
flags() {
  od --address-radix n --format u1 --skip-bytes 4 --read-bytes 1 "$1"
}

for side in client server; do
  base_backup --format tar --compress $side-lz4 --pgdata $side-lz4 2>/dev/null
  expect "checksum flags of $side-lz4" 0 $(($(flags $side-lz4/base.tar.lz4) & 0x14))
  base_backup --format tar --compress $side-zstd --pgdata $side-zstd 2>/dev/null
  expect "checksum flag of $side-zstd" 0 $(($(flags $side-zstd/base.tar.zst) & 0x04))
done

"$root/usr/bin/lz4" -dcq client-lz4/base.tar.lz4 >base.tar
"$root/usr/bin/lz4" -q base.tar base.tar.lz4
"$root/usr/bin/zstd" -q base.tar -o base.tar.zst
expect 'checksum flag of a file of lz4' 4 $(($(flags base.tar.lz4) & 0x04))
expect 'checksum flag of a file of zstd' 4 $(($(flags base.tar.zst) & 0x04))
