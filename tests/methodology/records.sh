#!/bin/sh
# SPDX-License-Identifier: MIT
# A requirement of the method that records show, as two jq programs in rules/: NAME.jq, over all lines of
# a run, prints a line for each violation; NAME.plant.jq plants one. A run of ours has none, and the
# planted one is found. Usage: records.sh make BIN FOLDER | records.sh NAME FOLDER
#   make  runs run.toml into FOLDER, once for all of them
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "$1" = make ]; then
    rm -rf "$3"
    "$2/poolbench" run "$here/run.toml" --out "$3" --quiet >/dev/null
    exit
fi
lines=$2/records.jsonl
found=$(jq -rs -f "$here/rules/$1.jq" "$lines")
[ -z "$found" ] || {
    echo "$1 is violated:"
    echo "$found" | head -n 20
    exit 1
}
planted=$(jq -cs -f "$here/rules/$1.plant.jq" "$lines" | jq -rs -f "$here/rules/$1.jq")
[ -n "$planted" ] || {
    echo "$1: what was planted is not found"
    exit 1
}
echo "planted and found: $(echo "$planted" | head -n 1)"
