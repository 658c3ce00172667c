#!/bin/sh
# SPDX-License-Identifier: MIT
# Planted faults: each faulty strategy fails its cell by name, the sound one beside it passes, and the
# run's exit code says that cells failed.
. "$(dirname "$0")/lib.sh"

# caught MODE STATUS WORDS: a cell with that fault ends with the status, for that reason
caught() {
    rm -rf run
    expect 3 "$BIN/poolbench-doubles" run "$ROOT/tests/e2e/tiny.toml" --alloc "faulty:mode=sound,faulty:mode=$1" \
        --filter "^$4/" --threads 1 --dispatch table --blocks 1 --out run
    [ "$(reps "select(.alloc == \"faulty:mode=$1\") | .status")" = "$2" ] ||
        fail "$1 on $4: $(reps "select(.alloc == \"faulty:mode=$1\") | .status + \" \" + .reason")"
    reps "select(.alloc == \"faulty:mode=$1\") | .reason" | grep -Eq "$3" ||
        fail "$1 on $4: the reason is '$(reps "select(.alloc == \"faulty:mode=$1\") | .reason")'"
    sound=$(reps 'select(.alloc == "faulty" or .alloc == "faulty:mode=sound") | .status')
    [ "$sound" = ok ] || fail "the sound double beside $1: $sound"
}

for workload in batch larson; do
    caught null_after oom 'NULL' $workload
    caught twice corrupt 'live|handed out' $workload
    caught overlap corrupt 'live|overlap|handed out' $workload
    caught neighbour corrupt 'byte [0-9]+ of .* is 0x' $workload
    caught misaligned corrupt 'align' $workload
    caught crash crashed 'signal' $workload
done

# a cell that hangs is ended by its time limit
sed 's/^timeout = .*/timeout = 2/' "$ROOT/tests/e2e/tiny.toml" >short.toml
rm -rf run
expect 3 "$BIN/poolbench-doubles" run short.toml --alloc faulty:mode=hang,pool --filter '^pair/' --threads 1 \
    --dispatch table --blocks 1 --out run
[ "$(reps 'select(.alloc == "faulty:mode=hang") | .status')" = timeout ] || fail "a hang is not a timeout"
[ "$(reps 'select(.alloc == "pool") | .status')" = ok ] || fail "the cell beside it failed"

# a cell that grows beyond its limit ends as oom, not as a crash
if ! sanitized; then
    rm -rf run
    expect 3 "$BIN/poolbench-doubles" run "$ROOT/tests/e2e/tiny.toml" --alloc faulty:mode=leak,pool --filter '^pair/' \
        --threads 1 --dispatch table --blocks 1 --memory-limit 64M --set ops=4M --out run
    [ "$(reps 'select(.alloc == "faulty:mode=leak") | .status')" = oom ] ||
        fail "a leak is $(reps 'select(.alloc == "faulty:mode=leak") | .status')"
fi
