#!/bin/bash
# pg_basebackup compresses with lz4 and zstd, but asks for no checksum.
#
# Versions: Postgres 15.20, lz4 1.9.4, zstd 1.5.4 (Debian 12).
#
# The programs lz4 and zstd put a checksum of the contents into each file that they write, and
# gzip's format always has one. So one would guess that 'zstd -t base.tar.zst' tells whether a
# base backup is intact. It does not: the files of pg_basebackup have no checksum, be they
# compressed by the client or by the server. Of 40 single bits, each flipped in a copy of its own,
# lz4 and zstd let most pass, and gzip none. The same tar, compressed by the programs, lets none
# pass. Who stores or moves such backups must keep backup_manifest with them, since its checksums
# are the only ones, or compress outside pg_basebackup.
source "$(dirname "$0")/common.bash"

install_postgres_15
debian lz4=1.9.4-1 zstd=1.5.4+dfsg2-5
lz4=$root/usr/bin/lz4
zstd=$root/usr/bin/zstd
create_cluster cluster
start_cluster cluster
sql "CREATE TABLE words AS SELECT n, md5(n::text) AS word FROM generate_series(1, 20000) n"

# Prints in how many of 40 copies of a file, each with one bit flipped, a command sees no damage.
passed_flips() {
  python3 - "$@" <<'EOF'
import random, subprocess, sys

path, command = sys.argv[1], sys.argv[2:]
contents = bytearray(open(path, "rb").read())
random.seed(1)
passed = 0
for _ in range(40):
    offset, bit = random.randrange(64, len(contents) - 64), 1 << random.randrange(8)
    contents[offset] ^= bit
    open("flipped", "wb").write(contents)
    passed += subprocess.run(command + ["flipped"], capture_output=True).returncode == 0
    contents[offset] ^= bit
print(passed)
EOF
}

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
base_backup --format tar --compress client-gzip --pgdata client-gzip 2>/dev/null

most() {
  if (($1 > 20)); then echo most; else echo "$1 of 40"; fi
}

expect 'flips that lz4 -t lets pass' most \
  "$(most "$(passed_flips client-lz4/base.tar.lz4 "$lz4" -tq)")"
expect 'flips that zstd -t lets pass' most \
  "$(most "$(passed_flips client-zstd/base.tar.zst "$zstd" -tq)")"
expect 'flips that gzip -t lets pass' 0 "$(passed_flips client-gzip/base.tar.gz gzip -tq)"

gzip -dc client-gzip/base.tar.gz >base.tar
"$lz4" -q base.tar base.tar.lz4
"$zstd" -q base.tar -o base.tar.zst
expect 'flips that pass in a file of lz4' 0 "$(passed_flips base.tar.lz4 "$lz4" -tq)"
expect 'flips that pass in a file of zstd' 0 "$(passed_flips base.tar.zst "$zstd" -tq)"
