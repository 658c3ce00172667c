include "records";
# ten blocks
.[] | select(.kind != "rep" or .block < 10)
