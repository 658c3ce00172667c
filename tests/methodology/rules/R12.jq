include "records";
# R12: the clock says its source, its cost, its step and rate, and how far apart the processors' clocks are
.[0].machine.clock as $clock
| (["source", "ns_per_tick", "quantum_ns", "overhead_ns", "offset_cpus"]
   + (if ($clock.offset_cpus // 0) > 0 then ["offset_ns", "offset_bound_ns"] else [] end))[]
| select($clock[.] == null or $clock[.] == "") | "the clock does not say its \(.)"
