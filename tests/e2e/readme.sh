#!/bin/sh
# SPDX-License-Identifier: MIT
# Every command of the README runs: those in its sh blocks and in its tables, with these programs in the place
# of build/release/bin, and with the newest run where it says RUN. The scripts are run by CI itself.
. "$(dirname "$0")/lib.sh"
export PB_RESULTS_PATH="$work/results"
mkdir results
export HOME="$work"
cp "$ROOT/bench/matrices/quick.toml" .

awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$ROOT/README.md" >commands
grep -o '`\(poolbench\|build/release/bin/poolbench\)[a-z-]* [^`]*`' "$ROOT/README.md" | tr -d '`' >>commands || true
grep -v '^scripts/' commands | sort -u >wanted
[ "$(wc -l <wanted)" -ge 8 ] || fail "few commands found in the README: $(cat wanted)"

# one run that report, plot and resume can be about
expect 0 "$BIN/poolbench" run quick --filter '^pair/' --alloc pool,zone --threads 1 --blocks 1
printf "a 0 1 64\nf 0 1\n" >FILE.txt

while IFS= read -r line; do
    line=$(echo "$line" | sed "s#build/release/bin/#$BIN/#g; s#build/release #${BIN%/bin} #; s# FILE\b# FILE.txt#; s#^poolbench#$BIN/poolbench#; s# RUN\b# $(ls -d results/[0-9]* | tail -n 1)#; s# \[[^]]*\]##g")
    case $line in
    *' selftest') line="$line --comparisons 4 --out selftest" ;;
    *' run standard'*) line="${line%% run*} plan standard" ;; # an hour: its plan stands for it
    *' run '*--blocks*) ;;
    *' run '*) line="$line --blocks 1 --alloc pool,zone --threads 1 --out again" ;;
    esac
    rm -rf again
    code=0
    sh -c "$line" >out 2>err </dev/null || code=$?
    case $line in *selftest*) [ $code != 3 ] || code=0 ;; esac # a busy machine is told so
    [ $code = 0 ] || { sanitized && [ $code = 4 ]; } || fail "exit $code: $line
$(cat err)"
    [ -s out ] || [ -s err ] || fail "prints nothing: $line"
done <wanted
