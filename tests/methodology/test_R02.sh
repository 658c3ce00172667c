#!/bin/sh
# SPDX-License-Identifier: MIT
# R2: the base of a ratio is named, and both its absolute value and the variant's stand beside it, in the
# report as a table, as JSON and as CSV. Usage: test_R02.sh BIN ROOT RUN
run=$3
. "$2/tests/e2e/lib.sh"

# Each reads a report from standard input and prints a line for each ratio without its absolute values.
bare_in_table() {
    awk '/ reference  *[0-9-]/ || / reference$/ { base = $2 ~ /^[0-9.]+$/ }
        /^  A\/A/ { if (NR > 1) check(); rows = 0; base = 0 }
        /^  [^ ]/ && $3 ~ /^[0-9]+[.][0-9]+$/ { rows++; name[rows] = $1; own[rows] = $2 ~ /^[0-9.]+$/ }
        /^Warnings/ { exit }
        function check(i) { for (i = 1; i <= rows; i++) if (!own[i] || !base) print name[i] }
        END { check() }'
}
bare_in_json() {
    jq -r '.metric as $metric | .groups[] | . as $group | .variants[] | select(.comparison.ratio)
        | .comparison.reference as $base
        | select(.measures[$metric].value == null or .measures[$metric].unit == null
                 or ([$group.variants[] | select(.alloc == $base) | .measures[$metric].value // empty] | length != 1))
        | .alloc'
}
# run,group,alloc,...: the columns are found by their names
bare_in_csv() {
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { value[$at["group"], $at["alloc"]] = $at["median"] }
        $at["ratio"] != "" { n++; group[n] = $at["group"]; alloc[n] = $at["alloc"]; base[n] = $at["reference"] }
        END { for (i = 1; i <= n; i++) if (value[group[i], alloc[i]] == "" || value[group[i], base[i]] == "") print alloc[i] }'
}

for format in table json csv; do
    expect 0 "$BIN/poolbench" report "$run" --format $format
    tr -d '\r' <out >$format
    bare=$(bare_in_$format <$format)
    [ -z "$bare" ] || fail "$format: a ratio without its absolute values: $bare"
done
[ "$(jq '[.groups[].variants[] | select(.comparison.ratio)] | length' json)" -ge 3 ] || fail "no ratio to look at"

# planted: a variant's own value is gone, then the base's
sed 's/^\(  pool  *\)[0-9.][0-9.]*/\1-/' table | bare_in_table | grep -q pool || fail "planted in the table, not found"
sed 's/^\(  lookaside  *\)[0-9.][0-9.]*/\1-/' table | bare_in_table | grep -q pool || fail "planted base in the table, not found"
jq 'del(.groups[0].variants[] | select(.alloc == "pool") | .measures.ns_per_op)' json | bare_in_json | grep -q pool ||
    fail "planted in JSON, not found"
jq 'del(.groups[0].variants[] | select(.alloc == "lookaside"))' json | bare_in_json | grep -q pool ||
    fail "planted base in JSON, not found"
grep -v ',lookaside,[a-z]*,[0-9]' csv | bare_in_csv | grep -q pool || fail "planted base in CSV, not found"
