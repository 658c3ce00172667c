# R18: the reference runs twice, under two names, in every group and block that has it
def ok: select(.kind == "rep" and .status == "ok");
.[0].reference as $reference
| [.[] | ok | {key: ((.name | sub("/alloc:[^/]*"; "")) + " block \(.block)"), alloc}] | group_by(.key)[]
| {key: .[0].key, names: map(.alloc)}
| select((.names | index($reference)) and ((.names | index($reference + "@aa")) | not)) | "\(.key): no twin"
