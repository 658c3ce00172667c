include "records";
.[] | select(.alloc != "null")
