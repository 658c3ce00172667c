include "records";
# R11: the null strategy and the empty loop are measured in every block
([ok | .block] | unique) as $blocks
| ["null", "floor"][] as $name
| ($blocks - [ok | select(.alloc == $name and .m.ns_per_op > 0) | .block]) | select(length > 0) | "\($name) is missing in blocks \(.)"
