include "records";
# every block in the order of the names
[every] as $reps | ($reps | map(.cell) | unique) as $cells
| .[] | if .kind == "rep" then .order = .block * 100 + (.cell as $cell | $cells | index($cell)) else . end
