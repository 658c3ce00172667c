include "records";
# R5: each process has a setup of its own, drawn from the seed; the seed and ASLR are recorded
(.[0] | select(.seed == null or .aslr == null or .layouts == null) | "the header lacks its seed, aslr or layouts"),
(ok | select([.setup.seed, .setup.env_bytes, .setup.mmap_pad, .setup.brk_pad, .setup.aslr, .layout, .loop_offset] | index(null))
  | "\(.name) block \(.block): no setup"),
([ok | .setup.seed] | (length - (unique | length)) | select(. > 0) | "\(.) setups are drawn twice"),
(["env_bytes", "mmap_pad", "brk_pad"][] as $pad | [ok | .setup[$pad]] | unique
  | select(length < 11) | "\($pad) is always the same: \(.)"),
([ok | .setup.env_bytes] | select(max > 4096) | "environment padded by \(max) bytes"),
(.[0].layouts as $layouts | [ok | .layout] | unique | select(length != $layouts) | "placements of the code: \(.) of \($layouts)"),
([ok | {block, layout}] | unique | group_by(.block)[] | select(length > 1) | "block \(.[0].block) ran in \(length) placements of the code")
