include "records";
# a repetition without a verdict
first_where(.kind == "rep" and .start == "warm"; del(.m.steady))[]
