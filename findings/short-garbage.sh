#!/bin/bash
# A few bytes after the end of a compressed file: xz and gzip call it cut off, and bzip2 says it is fine.
#
# Versions: xz-utils 5.4.1, gzip 1.12, bzip2 1.0.8 (Debian 12).
#
# One would guess that whatever follows a stream is called garbage, as gzip documents it (a warning, exit code 2).
# But xz says "Unexpected end of input" of up to 11 bytes, and only of 12 "Compressed data is corrupt": fewer
# might be the beginning of another stream, whose header has 12 bytes, though the first byte shows that they are
# not. gzip does the same for one byte (exit code 1, as of a file that is cut off), and bzip2 exits with 0, whatever
# follows. All of the contents comes out each time. Who is told that a backup is cut off copies it again, to the
# same end; a program that reads it has to look at the bytes itself.
source "$(dirname "$0")/common.bash"

debian xz-utils=5.4.1-1+deb12u2 liblzma5=5.4.1-1+deb12u2 gzip=1.12-1 bzip2=1.0.8-5+b1 \
  libbz2-1.0=1.0.8-5+b1
export LD_LIBRARY_PATH=$root/lib/x86_64-linux-gnu:$LD_LIBRARY_PATH

seq 100000 >plain
# said PROGRAM COUNT: what a program says of a file with so many bytes after its end, its exit code, and whether
# all of the contents came out.
said() {
  local program=$root/bin/$1 status=0 whole
  [[ -x $program ]] || program=$root/usr/bin/$1
  "$program" -c plain >packed
  head -c "$2" /dev/zero | tr '\0' x >>packed
  "$program" -dc <packed >unpacked 2>output || status=$?
  whole=$(answer cmp -s plain unpacked)
  echo "$status, whole: $whole, $(sed -n 's/^.*: //; /[a-z]/p' output | tail -n 1)"
}
for count in 1 11; do
  expect "xz, $count more" '1, whole: yes, Unexpected end of input' "$(said xz "$count")"
done
expect 'xz, 12 more' '1, whole: yes, Compressed data is corrupt' "$(said xz 12)"
expect 'gzip, 1 more' '1, whole: yes, unexpected end of file' "$(said gzip 1)"
expect 'gzip, 2 more' '2, whole: yes, decompression OK, trailing garbage ignored' "$(said gzip 2)"
for count in 1 100; do
  expect "bzip2, $count more" '0, whole: yes, trailing garbage after EOF ignored' \
    "$(said bzip2 "$count")"
done
