#!/bin/sh
# SPDX-License-Identifier: MIT
# R23: every table and figure is made again from records.jsonl alone: two copies of that file elsewhere, in
# other folders and environments, give the same bytes. Usage: test_R23.sh BIN ROOT RUN
run=$3
. "$2/tests/e2e/lib.sh"
. "$ROOT/tests/methodology/seal.sh"
pb=$BIN/poolbench

# make FOLDER: all that is made of FOLDER/copy, into FOLDER/made
make() {
    mkdir "$1/made"
    (
        cd "$1"
        for format in table json csv markdown; do
            "$pb" report copy --format $format >made/report.$format 2>/dev/null
        done
        for to in gb gb-medians csv md bmf openmetrics; do
            "$pb" export copy --to $to >made/export.$to 2>/dev/null
        done
        "$pb" plot copy --out made/plots >/dev/null 2>plot.err
    ) || fail "$1: $(cat "$1/plot.err")"
    # of figures the data; gnuplot draws them
    find "$1/made" -type f ! -name '*.svg' ! -name '*.png' ! -name '*.html' | sed "s|^$1/||" | sort >"$1.list"
}
mkdir -p one/copy two/copy three
cp "$run/records.jsonl" one/copy
cp "$run/records.jsonl" two/copy
edit "$run" three/copy '.kind == "rep" and .alloc == "pool" and .block == 2' '.m.ns_per_op *= 1000'
make one
(export HOME=/nonexistent TZ=Asia/Tokyo LC_ALL=C PB_RESULTS_PATH=/nonexistent && make two)
make three
[ "$(grep -c 'plots/' one.list)" -gt 0 ] || fail "no figure has data: $(cat one.list)"
cmp -s one.list two.list || fail "other files: $(diff one.list two.list)"
while IFS= read -r file; do
    cmp -s "one/$file" "two/$file" || fail "$file differs: $(diff "one/$file" "two/$file" | head -n 6)"
    [ -s "one/$file" ] || fail "$file is empty"
done <one.list

# planted: one number of the records is another
for file in made/report.table made/report.json made/report.csv made/export.csv; do
    ! cmp -s "one/$file" "three/$file" || fail "$file does not come from the records"
done
