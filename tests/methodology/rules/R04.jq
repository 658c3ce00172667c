include "records";
# R4: the replicate is a process of its own, and there are at least 11 of each cell
([every | select(.pid) | .pid] | group_by(.)[] | select(length > 1) | "process \(.[0]) made \(length) repetitions"),
([ok | .cell] | group_by(.)[] | select(length < 11) | "cell \(.[0]) has \(length) repetitions"),
(ok | select(.pid == null) | "\(.name) block \(.block): no process")
