include "records";
# R18: the reference runs twice, under two names, in every group and block that has it
.[0].reference as $reference
| [ok | {key: (group + " block \(.block)"), alloc, pid}] | group_by(.key)[]
| {key: .[0].key, names: map(.alloc)}
| select((.names | index($reference)) and ((.names | index($reference + "@aa")) | not)) | "\(.key): no twin"
