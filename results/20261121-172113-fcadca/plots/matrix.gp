# The figure 'matrix' of a run; edit and draw again: gnuplot matrix.gp (in this folder)
BASE = 'matrix'
DATA = 'matrix.tsv'
TITLE = 'Which strategy suits which workload?'
SUBTITLE = 'ns per operation over that of jemalloc (ratio of paired blocks, n = 6); lower is better: blue is faster, red is slower'
READING = 'in brackets: no difference shown (95 % interval, A/A noise, 2 %); words: the cell has no figure; a dash: not in the matrix; colours end at 1/4 and 4'
FOOTER = 'run 20261121-172113-fcadca · vm, AMD EPYC · Linux 6.18.44-fc-v669 · poolbench 0.1.0 · exploratory'
WIDTH = 1120
HEIGHT = 478
COLUMNS = 9
ROWS = 9
SCALE = 9
CELLS_LEFT = 214
CELLS_RIGHT = 1096
CELLS_TOP = 92
HEAD_ROWS = 1.66666667
CELLS_BOTTOM = 380

# SPDX-License-Identifier: MIT
# The house's style, shared by every figure: what the script's head above has set (BASE, DATA, TITLE,
# SUBTITLE, READING, FOOTER, WIDTH, HEIGHT) is drawn the same way everywhere. Texts of a run stand in
# single quotes or in the data alone: gnuplot expands neither backticks nor escapes there.

INK = '#1d2127'
SOFT = '#5c636d'
LINE = '#9aa0a8'
GRID = '#dfe2e6'
BAND = '#eceff3'
FONT = 'DejaVu Sans'
BOLD = 'DejaVu Sans:Bold'

# pixels from the upper left corner, as screen coordinates
px(x) = x / (1.0 * WIDTH)
py(y) = 1 - y / (1.0 * HEIGHT)

# value `v` of the rows whose column 1 is `k`, in panel `p`, in series `s`
of(k, p, v) = (strcol(1) eq k && column(2) == p) ? v : NaN
at(k, p, s, v) = (strcol(1) eq k && column(2) == p && column(3) == s) ? v : NaN

set encoding utf8
set datafile separator tab
set datafile missing 'NaN'
set key off
set border 3 lc rgb LINE lw 1
set tics nomirror out scale 0.6 font FONT.',10' tc rgb SOFT
set grid back lc rgb GRID lw 1 dt 1
set bars 0

OPEN_SVG = 'set terminal svg size WIDTH,HEIGHT noenhanced font FONT.",11" background "#ffffff"'
OPEN_PNG = 'set terminal pngcairo size 2*WIDTH,2*HEIGHT noenhanced font FONT.",11" fontscale 2 linewidth 2 pointscale 2 background "#ffffff"'

# the page's own texts are drawn with its first panel, then taken away
PAGE = 'set label 901 TITLE at screen px(24),py(28) font BOLD.",16" tc rgb INK;'.\
       'set label 902 SUBTITLE at screen px(24),py(51) font FONT.",11" tc rgb INK;'.\
       'set label 903 READING at screen px(24),py(69) font FONT.",10" tc rgb SOFT;'.\
       'set label 904 FOOTER at screen px(24),py(HEIGHT-14) font FONT.",9" tc rgb SOFT'
PAGE_END = 'unset label 901; unset label 902; unset label 903; unset label 904'

# the place of panel p, from the head's arrays
PLACE = 'set lmargin at screen px(PANEL_LEFT[p]); set rmargin at screen px(PANEL_RIGHT[p]);'.\
        'set tmargin at screen py(PANEL_TOP[p]); set bmargin at screen py(PANEL_BOTTOM[p])'

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
