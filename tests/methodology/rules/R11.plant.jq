.[] | select(.alloc != "null")
