#!/bin/bash
# A Swift program sees no arguments where /proc is not mounted.
#
# Versions: Swift 6.3.1, bubblewrap 0.8.0 (Debian 12).
#
# One would expect a program's arguments from main(), as in C. Swift's CommandLine.arguments reads
# /proc/self/cmdline on Linux. Without it, as in a plain chroot, the list is empty, without an error:
# not even the program's name is in it. So 'tool --version' in a chroot is the same as 'tool'.
# Who tries a package, or restores a backup, in a chroot must mount /proc there.
source "$(dirname "$0")/common.bash"

debian bubblewrap=0.8.0-2+deb12u1

cat >count.swift <<'EOF'
print(CommandLine.arguments.count)
EOF
swiftc -static-stdlib count.swift -o count >output 2>&1

count() {
  "$root/usr/bin/bwrap" --unshare-user --bind / / --tmpfs /tmp --bind "$work" "$work" "$@" "$work/shared/count" --version x
}

expect 'arguments with /proc' 3 "$(count --proc /proc)"
expect 'arguments without /proc' 0 "$(count --tmpfs /proc)"
