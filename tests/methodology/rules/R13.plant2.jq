include "records";
# the batches left out
first_where(.kind == "rep" and .hist.body != null; del(.hist.body))[]
