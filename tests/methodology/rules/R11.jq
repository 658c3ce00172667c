# R11: the null strategy and the empty loop are measured in every run
def ok: select(.kind == "rep" and .status == "ok");
(["null", "floor:kind=empty"][] as $name | select([$name] - [.[] | ok | .alloc] != []) | "\($name) was not measured"),
([.[] | ok | .block] | unique) as $blocks
| ["null", "floor:kind=empty"][] as $name
| ($blocks - [.[] | ok | select(.alloc == $name) | .block]) | select(length > 0) | "\($name) is missing in blocks \(.)"
