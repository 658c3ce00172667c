#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 of a child, and of a whole cell's process group: that cell is recorded as crashed, the others
# stay, the run ends with 3. kill -9 of the runner: what was recorded stays, and resume does the rest.
. "$(dirname "$0")/lib.sh"

# A cell that hangs holds still while it is killed.
cat >hang.toml <<'T'
name = "hang"
blocks = 1
timeout = 60
retries = 0
sample_gap = 0
[axes]
alloc = ["pool", "faulty:mode=hang", "zone"]
threads = [1]
dispatch = ["table"]
[[workload]]
name = "pair"
ops = 20000
T

# hanging_child RUNNER: waits until a child of it has been at work for a while; prints its pid
hanging_child() {
    for _ in $(seq 200); do
        for pid in $(pgrep -P "$1" 2>/dev/null || true); do
            sleep 1
            if kill -0 "$pid" 2>/dev/null; then
                echo "$pid"
                return
            fi
        done
        sleep 0.05
    done
    fail "no child hangs"
}

for target in child group; do
    rm -rf run
    "$BIN/poolbench-doubles" run hang.toml --out run >out 2>err </dev/null &
    runner=$!
    pid=$(hanging_child $runner)
    if [ $target = group ]; then /bin/kill -9 -- "-$pid"; else kill -9 "$pid"; fi
    code=0
    wait $runner || code=$?
    [ $code = 3 ] || fail "$target: exit $code, not 3: $(cat err)"
    [ "$(reps 'select(.alloc == "faulty:mode=hang") | .status')" = crashed ] || fail "$target: not crashed"
    reps 'select(.alloc == "faulty:mode=hang") | .reason' | grep -q 'signal 9' || fail "$target: no signal in the reason"
    [ "$(reps 'select(.status == "ok") | .name' | wc -l)" = 2 ] || fail "$target: the others are not there"
done

# the runner itself dies: the records are whole lines, and resume ends with every cell once
rm -rf run
"$BIN/poolbench-doubles" run "$ROOT/tests/e2e/tiny.toml" --alloc pool,zone --filter '^(pair|batch)/' --blocks 8 --out run >out 2>err </dev/null &
runner=$!
for _ in $(seq 200); do
    [ -f run/records.jsonl ] && [ "$(grep -c '"kind":"rep"' run/records.jsonl)" -ge 5 ] && break
    sleep 0.05
done
kill -9 $runner
wait $runner 2>/dev/null || true
before=$(grep -c '"kind":"rep"' run/records.jsonl)
[ "$before" -ge 5 ] || fail "nothing was recorded before the kill"
expect 0 "$BIN/poolbench-doubles" resume run
[ "$(reps '[.name, .block] | @tsv' | sort | uniq -d | wc -l)" = 0 ] || fail "resume repeated a cell"
[ "$(reps 'select(.status == "ok") | .name' | wc -l)" = "$(reps .name | wc -l)" ] || fail "a resumed cell failed"
[ "$(reps '[.block, .name] | @tsv' | wc -l)" -ge 64 ] || fail "resume left cells out: $(reps .name | wc -l)"
