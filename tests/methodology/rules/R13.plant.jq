include "records";
# the cost of a step made of the latencies
first_where(.kind == "rep" and .m.alloc_mean != null; .m.ns_per_op = .m.alloc_mean + .m.free_mean)[]
