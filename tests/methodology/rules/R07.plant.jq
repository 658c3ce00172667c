# cold called warm and the other way round
.[] | if .kind == "rep" and .status == "ok" then .start = (if .start == "cold" then "warm" else "cold" end) else . end
