include "records";
.[] | if .kind == "run" then del(.machine.clock.quantum_ns) else . end
