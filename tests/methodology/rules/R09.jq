include "records";
# R9: one stream of operations for every strategy, start and dispatch, in every block
[ok | {key: (group | gsub("/(start|arrival|delay|dispatch):[^/]*"; "")), stream_hash}] | group_by(.key)[]
  | {key: .[0].key, hashes: (map(.stream_hash) | unique)}
  | select((.hashes | length) > 1 or .hashes[0] == null) | "\(.key): streams \(.hashes)"
