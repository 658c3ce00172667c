# R19: randomised complete blocks: each holds every cell once, and not always in the same order
def rep: select(.kind == "rep" and .status != "skipped" and .status != "unavailable");
[.[] | rep] as $reps | ($reps | map(.cell) | unique) as $cells
| ($reps | group_by(.block) | map(group_by(.cell) | map(max_by(.attempt // 1)))) as $blocks
| ($blocks[] | select(map(.cell) | unique != $cells) | "block \(.[0].block) lacks cells"),
  ([$blocks[] | sort_by(.order) | map(.cell)] | unique | select(length < 3) | "all blocks have one order"),
  ([$reps[] | {block, order}] | sort_by(.order) | map(.block) | . as $b
   | select([range(1; length) | select($b[.] < $b[. - 1])] != []) | "blocks are not run one after another")
