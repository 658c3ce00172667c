include "records";
# a repetition is flagged and not counted
first_where(.kind == "rep" and .status == "ok"; .disturbed += ["planted"])[]
