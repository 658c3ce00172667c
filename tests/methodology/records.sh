#!/bin/sh
# SPDX-License-Identifier: MIT
# A requirement of the method that records show, as jq programs in rules/: NAME.jq, over all lines of a
# run, prints a line for each violation; each NAME.plant*.jq plants one. A run of ours has none, and
# every planted one is found. Usage: records.sh NAME FOLDER | records.sh make BIN FOLDER
#   make  runs run.toml into FOLDER, once for all of them
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "$1" = make ]; then
    rm -rf "$3"
    exec "$2/poolbench" run "$here/run.toml" --out "$3" --quiet
fi
lines=$2/records.jsonl
judge() { jq -L "$here/rules" -rs -f "$here/rules/$1.jq"; }
found=$(judge "$1" <"$lines")
[ -z "$found" ] || {
    echo "$1 is violated:"
    echo "$found" | head -n 20
    exit 1
}
for plant in "$here/rules/$1".plant*.jq; do
    found=$(jq -L "$here/rules" -cs -f "$plant" "$lines" | judge "$1")
    [ -n "$found" ] || {
        echo "$(basename "$plant"): what is planted there is not found"
        exit 1
    }
    echo "planted and found: $(echo "$found" | head -n 1)"
done
