# R13: the cost of a step is measured in batches, the latency of calls by samples, neither from the other
def ok: select(.kind == "rep" and .status == "ok" and .start == "warm");
(.[] | ok | select(.m.ns_per_op == null) | "\(.name): no cost of a step"),
(.[] | ok | select((.sample_gap // 0) > 0 and (.m.alloc_samples == null or .hist.alloc == null)) | "\(.name): no samples"),
(.[] | ok | select((.sample_gap // 0) > 0 and .m.sampled_ns_per_op == null) | "\(.name): the cost of sampling is not shown"),
(.[] | ok | select(.m.alloc_mean != null and .m.free_mean != null and .m.ns_per_op == .m.alloc_mean + .m.free_mean)
  | "\(.name): the cost of a step is the sum of the latencies")
