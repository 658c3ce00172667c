# SPDX-License-Identifier: MIT
# Matrix: a row a variant, a column a group, each cell its ratio to the reference.
# Data: kind, column, row, fill, ink, text. kind: cell, name (of a row), head and subhead (of a column),
# scale (the legend).

is(k, v) = strcol(1) eq k ? v : NaN

do for [OUT in 'svg png'] {
    eval(OUT eq 'svg' ? OPEN_SVG : OPEN_PNG)
    set output BASE.'.'.OUT
    set multiplot
    eval(PAGE)
    unset border
    unset tics
    unset grid
    set style fill solid 1.0 noborder

    set lmargin at screen px(CELLS_LEFT)
    set rmargin at screen px(CELLS_RIGHT)
    set tmargin at screen py(CELLS_TOP)
    set bmargin at screen py(CELLS_BOTTOM)
    set xrange [-0.501:COLUMNS - 0.499]
    set yrange [ROWS - 0.5:-0.5 - HEAD_ROWS]
    plot DATA using (is('cell', $2)):3:($2 - 0.485):($2 + 0.485):($3 - 0.45):($3 + 0.45):4 \
             with boxxyerror lc rgb variable, \
         '' using (is('cell', $2)):3:6:5 with labels font FONT.',11' tc rgb variable, \
         '' using (is('name', -0.5)):3:6 with labels right offset -0.6,0 font FONT.',11' tc rgb INK, \
         '' using (is('head', $2)):3:6 with labels font BOLD.',10' tc rgb INK, \
         '' using (is('subhead', $2)):3:6 with labels font FONT.',9' tc rgb SOFT
    eval(PAGE_END)

    set rmargin at screen px(CELLS_LEFT + 52 * SCALE)
    set tmargin at screen py(CELLS_BOTTOM + 16)
    set bmargin at screen py(CELLS_BOTTOM + 34)
    set xrange [-0.5:SCALE - 0.5]
    set yrange [-0.5:0.5]
    set label 1 'faster ' at graph 0, graph 0.5 right font FONT.',10' tc rgb SOFT
    set label 2 ' slower' at graph 1, graph 0.5 left font FONT.',10' tc rgb SOFT
    plot DATA using (is('scale', $2)):3:($2 - 0.5):($2 + 0.5):(-0.5):(0.5):4 \
             with boxxyerror lc rgb variable, \
         '' using (is('scale', $2)):3:6:5 with labels font FONT.',9' tc rgb variable
    unset label 1
    unset label 2
    unset multiplot
    set output
}
