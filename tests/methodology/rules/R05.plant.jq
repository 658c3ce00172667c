include "records";
# all in one placement of the code
.[] | if .kind == "rep" then .layout = 0 else . end
