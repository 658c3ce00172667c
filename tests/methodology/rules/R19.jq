include "records";
# R19: randomised complete blocks: each holds every cell once, not always in the same order
([reps | select(.status != "skipped" and .status != "unavailable")]) as $reps
| ($reps | map(.cell) | unique) as $cells
| ($reps | group_by(.block)) as $blocks
| ($blocks[] | select((map(.cell) | unique) != $cells) | "block \(.[0].block) lacks cells"),
  ([every | [.cell, .block, .attempt]] | group_by(.)[] | select(length > 1) | "\(.[0]) is there twice"),
  ([$blocks[] | sort_by(.order) | map(.cell)] | unique | select(length < 3) | "all blocks have one order"),
  ([$blocks[] | min_by(.order).cell] | unique | select(length < 3) | "blocks begin alike"),
  ($reps | sort_by(.order) | map(.block) | select(. != sort) | "blocks are not run one after another")
