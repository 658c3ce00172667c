include "records";
# R7: cold and warm are cells of their own; cold ones meet pages for the first time, warm ones do not
([ok | select(.start == "cold")] | select(length == 0) | "no cold cell"),
(ok | select(.start == "cold" and (.m.minor_faults // 0) < 20) | "\(.name) block \(.block): cold, and \(.m.minor_faults) page faults"),
([ok | select(.start == "warm")] | group_by(.cell)[] | {name: .[0].name, median: (map(.m.minor_faults) | sort | .[length / 2 | floor])}
  | select(.median > 2) | "\(.name): warm, and \(.median) page faults"),
([ok | {cell, start}] | unique | group_by(.cell)[] | select(length > 1) | "cell \(.[0].cell) is cold and warm")
