include "records";
.[] | if .kind == "run" then del(.machine.governor) else . end
