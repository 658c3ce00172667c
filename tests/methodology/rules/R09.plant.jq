include "records";
# one repetition ran something else
first_where(.kind == "rep" and .status == "ok"; .stream_hash = "0000000000000000")[]
