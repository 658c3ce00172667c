include "records";
# R6: each warm repetition says whether its rate was steady when the warm-up ended, and after how many windows
ok | select(.start == "warm" and (.m.steady == null or .m.warm_windows == null or .m.warm_windows < 5))
  | "\(.name) block \(.block): steady \(.m.steady) after \(.m.warm_windows) windows"
