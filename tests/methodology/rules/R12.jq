# R12: the clock says its source, its cost, its step and rate, and how far apart the processors' clocks are
.[0].machine.clock as $clock
| ["source", "ns_per_tick", "quantum_ns", "overhead_ns", "offset_ns"][]
| select($clock[.] == null) | "the clock does not say its \(.)"
