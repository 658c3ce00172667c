# What the rules ask of a run's lines, which are read as one array.

# every repetition on disk, superseded ones too
def every: .[] | select(.kind == "rep");

# those that count: of several of one cell in one block the last
def reps: [every] | group_by([.cell, .block])[] | .[-1];
def ok: reps | select(.status == "ok");

# the cells that are compared with one another have one group
def group: .name | sub("/alloc:[^/]*"; "");

# the array with the first element that is so changed
def first_where(is; change): (map(is) | index(true)) as $at | .[$at] |= change;
