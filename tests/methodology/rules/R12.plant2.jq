include "records";
# clocks compared, and no bound
.[] | if .kind == "run" then .machine.clock |= (.offset_cpus = 1 | del(.offset_bound_ns)) else . end
