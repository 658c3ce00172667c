# R7: cold and warm are cells of their own; cold ones meet pages for the first time, warm ones do not
def ok: select(.kind == "rep" and .status == "ok");
def cold: ok | select(.start == "cold" and .alloc != "null");
([.[] | cold] | select(length == 0) | "no cold cell"),
(.[] | cold | select((.m.minor_faults // 0) == 0) | "\(.name) block \(.block): cold, and no page fault"),
(.[] | ok | select(.start == "warm" and (.m.minor_faults // 0) > 16)
  | "\(.name) block \(.block): warm, and \(.m.minor_faults) page faults")
