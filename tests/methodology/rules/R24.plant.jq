# a repetition is flagged and not counted
(map(.kind == "rep" and .status == "ok") | index(true)) as $at | to_entries[]
| if .key == $at then .value.disturbed += ["planted"] else . end | .value
