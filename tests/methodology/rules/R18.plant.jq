.[] | select(.kind != "rep" or (.alloc | endswith("@aa") | not))
