#!/bin/sh
# SPDX-License-Identifier: MIT
# Bad input: one line that says what is wrong, where, and what to do; the documented exit code.
. "$(dirname "$0")/lib.sh"
pb=$BIN/poolbench
tiny=$ROOT/tests/e2e/tiny.toml

expect_line 2 "nosuch" "$pb" nosuch
expect_line 2 "nosuch" "$pb" run nosuch
expect_line 2 "bogus" "$pb" run "$tiny" --bogus
expect_line 2 "no strategy|strategy.*nosuch" "$pb" run "$tiny" --alloc nosuch --out run
expect_line 2 "lock.*foo" "$pb" run "$tiny" --alloc zone:lock=foo --out run
expect_line 2 "bogus" "$pb" run "$tiny" --alloc zone:bogus=1 --out run
expect_line 2 "depth" "$pb" run "$tiny" --alloc lookaside:depth=0 --out run
expect_line 2 "depth" "$pb" run "$tiny" --alloc lookaside:depth=70000 --out run
expect_line 2 "threads" "$pb" run "$tiny" --threads 0 --out run
expect_line 2 "threads.*x" "$pb" run "$tiny" --threads x --out run
expect_line 2 "oversubscribe" "$pb" run "$tiny" --threads 999 --out run
expect_line 2 "blocks" "$pb" run "$tiny" --blocks 0 --out run
expect_line 2 "^--most-blocks: .*--target" "$pb" run "$tiny" --most-blocks 20 --out run
expect_line 2 "^--blocks: .*target \(2%\).*--most-blocks" "$pb" plan "$tiny" --target 2% --blocks 5
expect_line 2 "^target 2%: nothing .*--reference" "$pb" run "$tiny" --alloc pool,zone --reference lookaside --target 2% --out run
expect 0 "$pb" plan "$tiny" --alloc pool,zone --reference pool --target 2% --most-blocks 12
expect_line 2 "pin|policy" "$pb" run "$tiny" --pin nosuch --out run
expect_line 2 "dispatch" "$pb" run "$tiny" --dispatch nosuch --out run
expect_line 2 "regular|regex|--filter" "$pb" run "$tiny" --filter '(' --out run
expect_line 5 "match" "$pb" run "$tiny" --filter nosuch --out run
expect_line 2 "^--counters: unknown event 'nosuch'.*allowed: off, default" "$pb" run "$tiny" --counters cycles,nosuch --out run
printf 'counters = "cycels"\n[axes]\nalloc = ["pool"]\n[[workload]]\nname = "pair"\n' >counters.toml
expect_line 2 "^counters\.toml:1:12: unknown event 'cycels'" "$pb" run counters.toml --out run
[ ! -e run ] || fail "a refused run left a folder"

# a machine that doctor warns of, where that is not wanted: one line, and nothing is left behind
if sanitized; then
    expect_line 4 '^--strict-env: .*; ' "$pb" run "$tiny" --strict-env --out run
else
    code=0
    "$pb" run "$tiny" --alloc pool --filter '^pair/' --blocks 1 --strict-env --out run >out 2>err </dev/null || code=$?
    [ $code = 0 ] || { [ $code = 4 ] && [ "$(wc -l <err)" = 1 ] && grep -q '^--strict-env: .*; ' err; } ||
        fail "--strict-env: exit $code: $(cat err)"
    [ $code = 0 ] || [ ! -e run ] || fail "a run that was refused left a folder"
    rm -rf run
fi
code=0
"$pb" doctor --strict-env --json >out 2>err </dev/null || code=$?
warnings=$(jq '[.findings[] | select(.level == "warning" or .level == "missing")] | length' out)
[ $code = 4 ] && [ "$warnings" -gt 0 ] || { [ $code = 0 ] && [ "$warnings" = 0 ]; } ||
    fail "doctor --strict-env: exit $code with $warnings warnings"
[ "$(jq '[.findings[] | select(.level != "ok") | select(.mend == "")] | length' out)" = 0 ] || fail "a finding without a remedy"
[ "$(jq '[.findings[] | select(.cost != "" and .source == "")] | length' out)" = 0 ] || fail "a cost that nobody vouches for"

# matrix files: FILE:LINE:COLUMN
printf 'name = "x"\nblocks = [1,\n' >broken.toml
expect_line 2 'broken\.toml:[0-9]+:[0-9]+: ' "$pb" run broken.toml --out run
printf 'name = "x"\nblokcs = 3\n[axes]\nalloc = ["pool"]\n[[workload]]\nname = "pair"\n' >key.toml
expect_line 2 'key\.toml:2:1: .*blokcs' "$pb" run key.toml --out run
printf 'name = "x"\n[axes]\nalloc = ["pool", "nosuch"]\n[[workload]]\nname = "pair"\n' >alloc.toml
expect_line 2 'alloc\.toml:3:[0-9]+: .*nosuch' "$pb" run alloc.toml --out run
printf 'name = "x"\n[axes]\nalloc = ["pool"]\n[[workload]]\nname = "nosuch"\n' >workload.toml
expect_line 2 'workload\.toml:5:[0-9]+: .*nosuch' "$pb" run workload.toml --out run
printf 'name = "x"\n[axes]\nalloc = ["pool"]\n[[workload]]\nname = "pair"\nsize = 0\n' >size.toml
expect_line 2 'size\.toml:6:[0-9]+: .*size' "$pb" run size.toml --out run
printf 'name = "x"\n[axes]\nalloc = ["pool"]\nthreads = [0]\n[[workload]]\nname = "pair"\n' >threads.toml
expect_line 2 'threads\.toml:4:[0-9]+: .*threads' "$pb" run threads.toml --out run

printf '[[workload]]\nname = "pair"\nalloc = "pool"\n[[include]]\nworkload = "pair"\n' >include.toml
expect_line 2 'include\.toml:4:1: alloc is missing' "$pb" run include.toml --out run

# traces: the line
printf 'a 0 1 64\nf 0 2\n' >dead.txt
expect_line 2 'dead\.txt:2: ' "$pb" run "$tiny" --trace dead.txt --out run
printf 'a 0 1 64\nq 0 1\n' >event.txt
expect_line 2 'event\.txt:2: ' "$pb" run "$tiny" --trace event.txt --out run
head -c 100000 "$ROOT/bench/traces/sqlite.txt.zst" >cut.txt.zst
expect_line 2 'cut\.txt\.zst:[0-9]+: truncated: ' "$pb" run "$tiny" --trace cut.txt.zst --out run
expect_line 2 'nosuch\.txt' "$pb" run "$tiny" --trace nosuch.txt --out run
printf 'a 0 1 64\nf 0 1' >open.txt
expect_line 2 'open\.txt:2: .*newline' "$pb" run "$tiny" --trace open.txt --out run
mkfifo pipe.txt
expect_line 2 'pipe\.txt: not a regular file' "$pb" run "$tiny" --trace ./pipe.txt --out run


# a trace that a matrix names: the same line as --trace gives, from plan and run, before anything runs
mkdir folder.txt
for trace in dead.txt event.txt cut.txt.zst nosuch.txt open.txt folder.txt; do
    expect_line 2 "trace: .*$(basename "$trace")" "$pb" run "$tiny" --trace "./$trace" --out run
    cp err line
    printf '[axes]\nalloc = "pool"\n[[workload]]\nname = "pair"\n[[workload]]\nname = "trace"\nfile = "./%s"\n' \
        "$trace" >replay.toml
    for verb in plan run; do
        expect_line 2 "$trace" "$pb" $verb replay.toml
        cmp -s line err || fail "$verb says '$(cat err)', --trace '$(cat line)'"
    done
done

# options that do not fit together: the table, or --set
fit='larson: min=2000 is above max=1000; lower min or raise max'
printf '[axes]\nalloc = "pool"\n[[workload]]\nname = "larson"\nmin = 2000\n' >fit.toml
for verb in plan run; do
    expect_line 2 "^fit\.toml:3:1: $fit\$" "$pb" $verb fit.toml
    expect_line 2 "^--set larson\.min=2000: $fit\$" "$pb" $verb "$tiny" --set larson.min=2000
    expect_line 2 "^--set min=2000: $fit\$" "$pb" $verb replay.toml --workload larson --set min=2000
    expect_line 2 "^fit\.toml:3:1: $fit\$" "$pb" $verb fit.toml --set ops=5M --set chunks=9
done
expect 0 "$pb" plan "$tiny" --set larson.min=2000 --filter '^pair/'
[ ! -e run ] && [ ! -e results ] || fail "a refused run left a folder"

# a trace of one's own runs on every strategy
printf 'a 0 1 64\na 1 2 100\nf 1 1\nr 0 2 300\nf 0 2\n' >own.txt
expect 0 "$pb" run "$tiny" --alloc pool,zone --trace own.txt --blocks 1 --out run
[ "$(reps 'select(.status == "ok") | .ops.allocs' | sort -u)" = 2 ] || fail "the trace's allocations: $(reps .ops)"
rm -rf run

# no permission to write (root may write anywhere: a file in the way stands for it)
: >file
expect_line 2 'file' "$pb" run "$tiny" --out file/run
expect_line 2 'nosuch' "$pb" report nosuch
expect_line 2 'not a folder' "$pb" run "$tiny" --out file
expect_line 2 'nosuch' "$pb" resume nosuch
expect_line 2 'empty' "$pb" report ''
expect_line 2 'empty' "$pb" resume ''
expect_line 2 'sometimes.*always, never, auto' "$pb" run "$tiny" --color sometimes --out run
expect_line 2 'xml.*table, json' "$pb" run "$tiny" --format xml --out run
expect_line 2 "quick.*poolbench plan quick" "$pb" describe quick
expect 2 "$pb" run "$tiny" --out

# the selftest's folder: refused before anything is made, and never said to be its
expect_line 2 "^file: is there already; give another --out\$" "$pb" selftest --out file
expect_line 2 "^file/run: Not a directory; give another --out\$" "$pb" selftest --out file/run
expect_line 2 "^--out: the folder's name is empty\$" "$pb" selftest --out ''
expect_line 2 "^--retries: '-1' is " "$pb" run "$tiny" --retries -1 --out run

# what lies in the folder that is given stays as it is; a run that cannot begin leaves nothing
mkdir mine
echo 'name = "mine"' >mine/matrix.toml
expect_line 2 'mine/matrix\.toml: is there already.*--out' "$pb" run "$tiny" --alloc pool --out mine
[ "$(ls mine)" = matrix.toml ] && [ "$(cat mine/matrix.toml)" = 'name = "mine"' ] || fail "mine: $(ls mine)"
rm mine/matrix.toml
for name in records.jsonl nothing; do
    ln -s nowhere mine/records.jsonl
    [ $name = nothing ] && rm mine/records.jsonl && : >mine/records.jsonl
    expect_line 2 'mine/records\.jsonl: is there already; give another --out$' "$pb" run "$tiny" --alloc pool --out mine
    rm mine/records.jsonl
done
(ulimit -f 0 && exec "$pb" run "$tiny" --alloc pool --out slash/one/two/) 2>err </dev/null >&2 &&
    fail "no room, and no error"
[ ! -e slash ] || fail "a run that did not begin left slash/: $(find slash)"

# a file that is not records: it is named, and nothing else is to be removed
printf 'mine' >mine/records.jsonl
expect_line 2 '^mine/records\.jsonl: not one whole line in it;.* remove that file and start anew$' "$pb" resume mine
[ "$(cat mine/records.jsonl)" = mine ] || fail "resume wrote into somebody's file"
rm mine/records.jsonl

# two writers of one run
expect 0 "$pb" run "$tiny" --alloc pool --filter '^pair/' --blocks 1 --out run
expect_line 2 'run' "$pb" run "$tiny" --alloc pool --filter '^pair/' --blocks 1 --out run

# a run that is done stays as it is, whatever was added behind it; one that goes on drops it
cp run/records.jsonl whole
printf 'a note' >>run/records.jsonl
cp run/records.jsonl noted
expect 0 "$pb" resume run --quiet
cmp -s run/records.jsonl noted || fail "resume changed a run that is done"
sed -i '/"kind":"end"/d' run/records.jsonl
printf 'a note' >>run/records.jsonl
expect 0 "$pb" resume run --quiet
grep -q '^run: the last line was cut off and is dropped$' err || fail "not said: $(cat err)"
[ "$(wc -l <run/records.jsonl)" = "$(wc -l <whole)" ] || fail "not as before: $(wc -l run/records.jsonl whole)"

# a record cut off in the middle is dropped with a notice; one damaged in the middle is named
head -c -20 run/records.jsonl >torn && mkdir -p torn.run damaged.run && mv torn torn.run/records.jsonl
expect 0 "$pb" report torn.run
sed '2s/"status":"ok"/"status":"OK"/' run/records.jsonl >damaged.run/records.jsonl
expect_line 2 'records\.jsonl:2: ' "$pb" report damaged.run

# standard output that takes nothing: one line, and the records stay
for verb in list doctor "plan $tiny" "report run"; do
    code=0
    # shellcheck disable=SC2086 # words on purpose
    "$pb" $verb >/dev/full 2>err </dev/null || code=$?
    [ $code = 4 ] || fail "$verb on a full device: exit $code: $(cat err)"
    grep -q '^standard output: No space' err || fail "$verb on a full device: $(cat err)"
done
expect 0 "$pb" report run/records.jsonl
expect 0 "$pb" report "$PWD/run/"

# gnuplot missing: the data stay
expect 0 ln -s "$(command -v true)" true
code=0
PATH="$work" "$pb" plot run >out 2>err </dev/null || code=$?
[ $code = 4 ] || fail "plot without gnuplot: exit $code: $(cat err)"
grep -q gnuplot err || fail "gnuplot is not named: $(cat err)"
ls run/plots/*.tsv >/dev/null || fail "the figures' data are gone"

# help goes to standard output and is not an error
for verb in list describe plan run resume report plot doctor; do
    expect 0 "$pb" $verb --help
    [ -s out ] && [ ! -s err ] || fail "$verb --help"
done
