#!/bin/sh
# SPDX-License-Identifier: MIT
# Each requirement R1 to R26 has a test of its name, each test of the method a row in README.md, and each row
# what is planted in it. Usage: complete.sh README CTEST BUILD
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$2" --test-dir "$3" -N -R '^methodology[.]' | sed -n 's/^ *Test *#[0-9]*: *//p' >"$work/tests"

# missing README TESTS: a line for each gap
missing() {
    awk -F ' *[|] *' '
        FILENAME == ARGV[1] && /^[|] R[0-9]/ {
            n = split($3, names, / *, */)
            for (i = 1; i <= n; i++) {
                gsub(/`/, "", names[i])
                row["methodology." names[i]] = substr($2, 2) + 0
                covered[substr($2, 2) + 0] = 1
            }
            if (length($5) < 8) print $2 ": the table does not say what is planted"
        }
        FILENAME == ARGV[2] { there[$1] = 1 }
        END {
            for (i = 1; i <= 26; i++) {
                own = sprintf("methodology.R%02d", i)
                if (!(own in there)) print "R" i ": there is no test " own
                if (!(i in covered)) print "R" i ": the table has no row"
            }
            for (name in row)
                if (!(name in there) && name !~ /_timing$/) print name ": in the table, and no test"
            for (name in there)
                if (!(name in row) && name ~ /[.]R/) print name ": not in the table"
            for (name in row)
                if (name ~ /[.]R/ && substr(name, 14, 2) + 0 != row[name]) print name ": in the row of R" row[name]
        }' "$1" "$2"
}
found=$(missing "$1" "$work/tests")
[ -z "$found" ] || {
    echo "$found"
    exit 1
}

# planted: a test, a row and a plant that are not there, and a test that the table does not know
plant() {
    [ -n "$(missing "$1" "$2")" ] || {
        echo "planted, and not found: $3"
        exit 1
    }
}
grep -v '^methodology[.]R13$' "$work/tests" >"$work/fewer" || true
plant "$1" "$work/fewer" "a missing test"
grep -v '^| R20 ' "$1" >"$work/README.md"
plant "$work/README.md" "$work/tests" "a missing row"
sed '/^| R07 \|^| R7 /s/|[^|]*|$/| |/' "$1" >"$work/README.md"
plant "$work/README.md" "$work/tests" "nothing planted"
{ cat "$work/tests" && echo methodology.R27; } >"$work/more"
plant "$1" "$work/more" "a test without a row"
echo "26 requirements, $(grep -c '[.]R' "$work/tests") tests"
