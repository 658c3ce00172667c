include "records";
# R24: what was disturbed stays in the records, flagged, and the last line counts it
. as $all | ([.[] | select(.kind == "end")][-1]) as $last
| ([every | select(.disturbed != [])] | length) as $flagged
| ([every | select(.attempt > 1)] | length) as $repeated
| ([reps | select(.disturbed != [])] | length) as $still
| (select($last.disturbed != $flagged) | "\($flagged) repetitions are flagged, the end counts \($last.disturbed)"),
  (select($last.repeated != $repeated) | "\($repeated) were repeated, the end counts \($last.repeated)"),
  (select($last.still_disturbed != $still) | "\($still) of those that count are flagged, the end says \($last.still_disturbed)"),
  ([every] | group_by([.cell, .block])[] | select(map(.attempt) != [range(1; length + 1)])
   | "\(.[0].name) block \(.[0].block) has attempts \(map(.attempt))"),
  (reps | select(.disturbed == null) | "\(.name) block \(.block) was not judged")
