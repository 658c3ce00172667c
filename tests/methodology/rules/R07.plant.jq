include "records";
# cold called warm and the other way round
.[] | if .kind == "rep" then .start = (if .start == "cold" then "warm" else "cold" end) else . end
