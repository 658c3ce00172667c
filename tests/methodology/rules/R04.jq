# R4: the replicate is a process of its own, and there are at least 11 of each cell
def ok: select(.kind == "rep" and .status == "ok");
([.[] | ok | .pid] | group_by(.)[] | select(length > 1) | "process \(.[0]) made \(length) repetitions"),
([.[] | ok | .cell] | group_by(.)[] | select(length < 11) | "cell \(.[0]) has \(length) repetitions")
