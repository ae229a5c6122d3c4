#!/bin/bash
# Python's zstandard and lz4 may stop after the first frame of a stream, without an error.
#
# Versions: zstandard 0.25.0 and lz4 4.4.5 (PyPI), pzstd 1.5.4 and lz4 1.9.4 (Debian 12).
#
# A zstd or lz4 stream may have several frames, one after the other. pzstd writes one for each part
# that a thread compressed, and before each of them a skippable frame with its length. Two
# compressed files that were joined are such a stream too. The programs zstd and lz4 decompress all
# of it. One would guess that the libraries do as well, or fail.
# zstandard: stream_reader and open give all, decompress() fails, but decompressobj() and
# read_to_iter() return nothing at all for a file of pzstd, without an error, since its first frame
# is a skippable one. lz4: frame.open gives all, and frame.decompress returns the first frame alone,
# which is nothing if that is a skippable one.
# Who processes backups with these libraries must check the length or a checksum of the result.
source "$(dirname "$0")/common.bash"

debian zstd=1.5.4+dfsg2-5 lz4=1.9.4-1
pypi zstandard==0.25.0 lz4==4.4.5

head -c 3000000 /dev/zero | tr '\0' A >contents
"$root/usr/bin/pzstd" -q contents -o contents.zst
seq 1000 >numbers
"$root/usr/bin/lz4" -q numbers numbers.lz4
cat numbers.lz4 numbers.lz4 >twice.lz4
# A skippable frame of four bytes.
{ printf '\x50\x2a\x4d\x18\x04\x00\x00\x00abcd' && cat numbers.lz4; } >skipped.lz4

expect 'bytes from zstd' 3000000 "$("$root/usr/bin/zstd" -dcq contents.zst | wc -c)"
expect 'bytes from lz4, two frames' 7786 "$("$root/usr/bin/lz4" -dcq twice.lz4 | wc -c)"
expect 'bytes from lz4, a skippable frame' 3893 "$("$root/usr/bin/lz4" -dcq skipped.lz4 | wc -c)"

python() {
  python3 -c "
import lz4.frame, zstandard
zstd = zstandard.ZstdDecompressor()
compressed = open('contents.zst', 'rb').read()
try:
    print(len($1))
except Exception as error:
    print(type(error).__name__)"
}

expect 'stream_reader' 3000000 "$(python "zstd.stream_reader(compressed).read()")"
expect 'zstandard.open' 3000000 "$(python "zstandard.open('contents.zst').read()")"
expect 'decompress' ZstdError "$(python "zstd.decompress(compressed)")"
expect 'decompressobj' 0 "$(python "zstd.decompressobj().decompress(compressed)")"
expect 'read_to_iter' 0 "$(python "b''.join(zstd.read_to_iter(compressed))")"
expect 'decompressobj, read_across_frames' 3000000 \
  "$(python "zstd.decompressobj(read_across_frames=True).decompress(compressed)")"
expect 'lz4.frame.open, two frames' 7786 "$(python "lz4.frame.open('twice.lz4').read()")"
expect 'lz4.frame.decompress, two frames' 3893 \
  "$(python "lz4.frame.decompress(open('twice.lz4', 'rb').read())")"
expect 'lz4.frame.decompress, a skippable frame' 0 \
  "$(python "lz4.frame.decompress(open('skipped.lz4', 'rb').read())")"
