# SPDX-License-Identifier: MIT
# Scaling: operations per second over threads, a line a variant, a panel a workload.
# Data: kind, panel, variant, threads, rate, low, high, colour, point, text. kind: line, floor (a
# line alone), block (a repetition), ideal, failed, swatch and label (at the right).

do for [OUT in 'svg png'] {
    eval(OUT eq 'svg' ? OPEN_SVG : OPEN_PNG)
    set output BASE.'.'.OUT
    set multiplot
    eval(PAGE)
    do for [p = 1:PANELS] {
        eval(PLACE)
        set logscale x 2
        set logscale y 10
        set xrange [0.999 * X_LOW:1.001 * X_HIGH]
        set yrange [Y_LOW[p]:Y_HIGH[p]]
        set xtics () offset 0,0.3
        do for [i = 1:TICKS] { set xtics add (TICK_TEXT[i] TICK[i]) }
        set ytics ()
        do for [i = Y_FIRST[p]:Y_LAST[p]] { set ytics add (Y_TICK_TEXT[i] Y_TICK[i]) }
        set xlabel 'threads' font FONT.',10' tc rgb SOFT offset 0,0.9
        set label 1 PANEL_TITLE[p] at screen px(PANEL_LEFT[p] - 40), screen py(PANEL_TOP[p] - 14) \
            font BOLD.',11' tc rgb INK
        unset arrow
        unset label 2
        if (UNITS > X_LOW && UNITS < MOST) {
            set arrow 1 from UNITS, graph 0 to UNITS, graph 1 nohead lc rgb LINE lw 1 back
            set label 2 ' processing units' at UNITS, graph 0.03 left font FONT.',9' tc rgb SOFT
        }
        plot DATA using (of('ideal', p, $4)):5 with lines lc rgb SOFT dt 3 lw 1, \
             '' using (of('block', p, $4)):5 with points pt 7 ps 0.3 lc rgb '#c3c7cd', \
             for [k = 1:VARIANTS] '' using (at('floor', p, DRAW[k], $4)):5 \
                 with lines lc rgb COLOUR[DRAW[k]] dt DASH[DRAW[k]] lw THICK[DRAW[k]], \
             for [k = 1:VARIANTS] '' using (at('line', p, DRAW[k], $4)):5 \
                 with lines lc rgb COLOUR[DRAW[k]] dt DASH[DRAW[k]] lw THICK[DRAW[k]], \
             '' using (of('line', p, $4)):5:6:7:8 with yerrorbars pt 0 lw 1.5 lc rgb variable, \
             '' using (of('line', p, $4)):5:9:8 with points pt variable ps 0.8 lc rgb variable, \
             '' using (of('failed', p, $4)):5:8 with points pt 2 ps 0.9 lw 1.8 lc rgb variable, \
             '' using (of('swatch', p, X_HIGH)):5:10:8 with labels left offset 0.8,0 \
                 font FONT.',10' tc rgb variable, \
             '' using (of('label', p, X_HIGH)):5:10 with labels left offset 2.6,0 \
                 font FONT.',10' tc rgb INK
        eval(PAGE_END)
    }
    unset multiplot
    set output
}
