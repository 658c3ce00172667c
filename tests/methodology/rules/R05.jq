# R5: each process has a setup of its own, drawn from the seed; the seed and ASLR are recorded
def ok: select(.kind == "rep" and .status == "ok");
(.[0] | select(.seed == null) | "the header has no seed"),
(.[] | ok | select(.setup == null or .setup.seed == null or .setup.aslr == null or .layout == null)
  | "\(.name) block \(.block): no setup"),
([.[] | ok | .setup.seed] | (length - (unique | length)) as $twice | select($twice > 0)
  | "\($twice) setups are drawn twice"),
([.[] | ok | .setup.env_pad // .setup.mmap_pad] | unique | select(length < 3) | "the padding is always the same"),
([.[] | ok | .layout] | unique | select(length < 6) | "placements of the code: \(.)")
