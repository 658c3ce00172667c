# the cost of a step made of the latencies
.[] | if .kind == "rep" and .m.alloc_mean != null then .m.ns_per_op = .m.alloc_mean + .m.free_mean else . end
