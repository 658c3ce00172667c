# one repetition ran something else
(map(.kind == "rep" and .status == "ok") | index(true)) as $at | to_entries[]
| if .key == $at then .value.stream_hash = "0000000000000000" else . end | .value
