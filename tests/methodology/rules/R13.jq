include "records";
# R13: the cost of a step is measured in batches, the latency of calls by samples, neither from the other
(ok | select(.m.ns_per_op == null) | "\(.name): no cost of a step"),
# of an empty loop a batch may be longer than a window; batches that a neighbour cut short are not told
([ok | select(.start == "warm" and .sample_gap > 0 and .alloc != "floor")] | group_by(.name)[]
  | select(([.[] | select(.m.body_p50 != null and .hist.body != null)] | length) * 2 < length) | "\(.[0].name): no batches"),
(ok | select(.start == "warm" and .sample_gap > 0)
  | select(.m.alloc_p50 == null or .hist.alloc == null or .hist.free == null) | "\(.name): no samples"),
(ok | select(.hist.body != null and .hist.body.data == .hist.alloc.data) | "\(.name): batches are the samples"),
(ok | select(.m.alloc_mean != null)
  | select(.m.ns_per_op == .m.alloc_mean + .m.free_mean or .m.body_p50 == .m.alloc_p50 + .m.free_p50)
  | "\(.name): the cost of a step is the sum of the latencies")
