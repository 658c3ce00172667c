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
