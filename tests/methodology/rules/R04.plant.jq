include "records";
# two repetitions in one process
([ok | .pid][0]) as $pid | first_where(.kind == "rep" and .pid != $pid; .pid = $pid)[]
