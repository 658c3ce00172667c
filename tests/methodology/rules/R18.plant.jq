include "records";
first_where(.kind == "rep" and (.alloc | endswith("@aa")); .alloc = "another")[]
