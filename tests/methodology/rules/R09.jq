# R9: one stream of operations for every strategy, in every block
def ok: select(.kind == "rep" and .status == "ok");
[.[] | ok | {group: (.name | sub("/alloc:[^/]*"; "") | sub("/(start|arrival|delay|dispatch):[^/]*"; ""; "g")), stream_hash}] | group_by(.group)[]
  | (map(.stream_hash) | unique) | select(length > 1) | "a group ran \(length) streams: \(.)"
