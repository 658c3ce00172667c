# R24: what was disturbed stays in the records, flagged, and the last line counts it
. as $all | [.[] | select(.kind == "end")][-1] as $end
| ([.[] | select(.kind == "rep" and (.disturbed // []) != [])] | length) as $flagged
| (select($end.disturbed != $flagged) | "\($flagged) repetitions are flagged, the end counts \($end.disturbed)"),
  (.[] | select(.kind == "rep" and (.attempt // 1) > 1) | . as $again
   | select([$all[] | select(.kind == "rep" and .cell == $again.cell and .block == $again.block)] | length < $again.attempt)
   | "an attempt of \($again.name) is missing")
