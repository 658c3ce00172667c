include "records";
# one block without the empty loop
.[] | select(.alloc != "floor" or .block != 3)
