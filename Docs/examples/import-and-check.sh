#!/bin/bash
# Imports a backup, checks the result, copies the timeline, and verifies the copy by its receipt.
#
# Usage: import-and-check.sh BACKUP STORAGE COPY
#
# COPY stands for a mounted bucket or another machine, and gets the layout of a pageserver's remote storage.
# Only the receipt is needed to verify it, not the backup. Needs jq. IMPORT_BACKUP names the program if it
# is not in PATH.
set -euo pipefail

program=${IMPORT_BACKUP:-import-backup}
backup=$1
storage=$2
copy=$3

# Prints what a script would look at when a command has failed, from its JSON object; the error and the hint
# are on standard error already.
explain() {
  jq -r '"\(.command) failed: \(.code)", (.findings // empty | tojson)' >&2
  exit 1
}

# The object comes when the timeline is complete. The receipt has the same.
result=$("$program" import "$backup" --output "$storage" --json) || explain <<< "$result"
jq -e '.schema == 2 and .exitCode == 0' <<< "$result" > /dev/null
jq -r '.warnings[] | "warning (\(.code)): \(.message)"' <<< "$result" >&2
jq -r '.changes[] | "changed (\(.code)): \(.message)"' <<< "$result" >&2

timeline=$(jq -r .timelinePath <<< "$result")
receipt=$(jq -r .receiptPath <<< "$result")

tenant=tenants/$(jq -r .tenantID <<< "$result")
copied=$copy/$tenant/timelines/$(jq -r .timelineID <<< "$result")

# Layers first, the index last: a pageserver takes a timeline with an index for a complete one. Nothing is
# overwritten.
mkdir -p -- "$copy/$tenant/timelines"
mkdir -- "$copied"
cp --no-clobber -- "$storage/$tenant"/tenant-manifest-*.json "$copy/$tenant/"
jq -r '.layers[].name, .index.name' <<< "$result" | while read -r name; do
  cp -- "$timeline/$name" "$copied/$name"
done

# Every file by size and SHA-256, and then every key. Without the program, sha256sum does the first.
verified=$("$program" verify "$copied" --receipt "$receipt" --json) || explain <<< "$verified"
(cd -- "$copied" && sha256sum --check --strict --quiet -- "$receipt.sha256")

jq -r --arg copy "$copied" '
  "\($copy) is timeline \(.timelineID) of tenant \(.tenantID):",
  (.databases[] | "database \(.id) \(.name // "")"),
  "\(.layers | length) layers, LSN \(.importLSN) to \(.endLSN)"' <<< "$result"
