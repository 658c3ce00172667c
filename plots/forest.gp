# SPDX-License-Identifier: MIT
# Forest: a row a variant, its ratio to the reference on a log axis round 1, in a panel a group.
# Data: kind, panel, row, ratio, low, high, colour, point, text. kind: estimate, interval (of an estimate
# beyond the axis), block (one paired block), beyond (goes on further out than the axis), failed, name (at the left), figure (at the right).

do for [OUT in 'svg png'] {
    eval(OUT eq 'svg' ? OPEN_SVG : OPEN_PNG)
    set output BASE.'.'.OUT
    set multiplot
    eval(PAGE)
    do for [p = 1:PANELS] {
        eval(PLACE)
        set logscale x 2
        set xrange [0.999 / SPAN:1.001 * SPAN]
        set yrange [PANEL_ROWS[p] - 0.4:-0.6]
        set format x ''
        set xtics () font FONT.',9' offset 0,0.5
        do for [i = 1:TICKS] { set xtics add (TICK_TEXT[i] TICK[i]) }
        unset ytics
        set grid x
        set border 1
        unset object
        set object 1 rectangle from NOISE_LOW[p], graph 0 to NOISE_HIGH[p], graph 1 \
            fc rgb BAND fs solid noborder behind
        set arrow 1 from 1, graph 0 to 1, graph 1 nohead dt 2 lc rgb SOFT lw 1 back
        set label 1 PANEL_TITLE[p] at screen px(PANEL_LABELS[p]), screen py(PANEL_TOP[p] - 22) \
            font BOLD.',11' tc rgb INK
        set label 2 PANEL_NOTE[p] at screen px(PANEL_LABELS[p]), screen py(PANEL_TOP[p] - 7) \
            font FONT.',9' tc rgb SOFT
        plot DATA using (of('block', p, $4)):3 with points pt 7 ps 0.4 lc rgb '#b3b8bf', \
             '' using (of('estimate', p, $4)):3:5:6:7 with xerrorbars pt 0 lw 2 lc rgb variable, \
             '' using (of('interval', p, $5)):3:(column(6) - column(5)):(0):7 \
                 with vectors nohead lw 2 lc rgb variable, \
             '' using (of('estimate', p, $4)):3:8:7 with points pt variable ps 0.95 lc rgb variable, \
             '' using (of('beyond', p, $4)):3:9:7 with labels font FONT.',11' tc rgb variable, \
             '' using (of('failed', p, $4)):3 with points pt 2 ps 0.8 lw 1.5 lc rgb SOFT, \
             '' using (of('name', p, 1.0 / SPAN)):3:9 with labels right offset -0.8,0 font FONT.',10' tc rgb INK, \
             '' using (of('figure', p, SPAN)):3:9 with labels left offset 1.4,0 font FONT.',10' tc rgb INK
        eval(PAGE_END)
    }
    unset multiplot
    set output
}
