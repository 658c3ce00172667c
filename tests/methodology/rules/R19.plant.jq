include "records";
# one cell left out of the last block
([every | .block] | max) as $last | first_where(.kind == "rep" and .block == $last; empty)[]
