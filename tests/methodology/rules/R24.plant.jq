include "records";
# the last line counts a flagged repetition that is not there
.[] | if .kind == "end" then .disturbed += 1 else . end
