#!/bin/bash
# xz decompresses a tar that pixz compressed to more than the tar.
#
# Versions: pixz 1.0.7 (Debian 12), with the xz of the system (5.4 in Debian 12).
#
# pixz compresses in parallel, and writes files of the format xz. 'xz -t' calls them intact, and
# one would guess that 'xz -dc' gives the tar back. pixz adds an index of the tar's members, so
# that it can extract a single one. The index is a further block of the same xz stream. xz cannot
# know what it is, and writes it after the end of the tar. tar stops at the end mark and does
# not notice. A program that compares lengths or checksums, or that refuses bytes after the end of
# a tar, does. 'pixz -d' gives the tar alone, and 'pixz -t' writes files without an index.
# A backup tool that reads xz sees such a tar as one with garbage after its end.
source "$(dirname "$0")/common.bash"

debian pixz=1.0.7-2
pixz=$root/usr/bin/pixz
mkdir files
seq 200000 >files/numbers
seq 100 >files/few
tar -cf plain.tar files

"$pixz" plain.tar indexed.tar.xz
expect 'exit code of xz -t' 0 "$(code xz -t indexed.tar.xz)"
xz -dc indexed.tar.xz >larger.tar
length=$(stat -c %s plain.tar)
expect 'the beginning is the tar' yes \
  "$(answer cmp -s plain.tar <(head -c "$length" larger.tar))"
tail -c +$((length + 1)) larger.tar >index
expect 'first bytes after the tar' 'a6 4c 32 2e d6 14 ae db' \
  "$(od --address-radix n --format x1 --read-bytes 8 index | sed 's/^ //')"
expect 'the name of a member is there' yes "$(has files/numbers index)"
expect 'exit code of tar' 0 "$(code tar -tf larger.tar)"

"$pixz" -d indexed.tar.xz again.tar
expect 'pixz -d gives the tar alone' yes "$(answer cmp -s plain.tar again.tar)"
"$pixz" -t plain.tar without.tar.xz
expect 'without an index xz gives the tar alone' yes \
  "$(answer cmp -s plain.tar <(xz -dc without.tar.xz))"
