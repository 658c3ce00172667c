# SPDX-License-Identifier: MIT
# Latency: time of one call over its percentile, x = 1 / (1 - p) on a log axis, a line a variant; alloc
# and free of a group side by side.
# Data: kind, panel, variant, x, ns, low, high, colour, point, text. kind: line (low and high: the band),
# end (the line's last point), swatch and label (at the right).

do for [OUT in 'svg png'] {
    eval(OUT eq 'svg' ? OPEN_SVG : OPEN_PNG)
    set output BASE.'.'.OUT
    set multiplot
    eval(PAGE)
    do for [p = 1:PANELS] {
        eval(PLACE)
        set logscale xy 10
        set xrange [1:1.001 * X_HIGH]
        set yrange [Y_LOW[p]:Y_HIGH[p]]
        set xtics () offset 0,0.3
        do for [i = 1:TICKS] { set xtics add (TICK_TEXT[i] TICK[i]) }
        set ytics ()
        do for [i = Y_FIRST[p]:Y_LAST[p]] { set ytics add (Y_TICK_TEXT[i] Y_TICK[i]) }
        set xlabel 'percentile' font FONT.',10' tc rgb SOFT offset 0,0.9
        set label 1 PANEL_TITLE[p] at screen px(PANEL_LEFT[p] - 40), screen py(PANEL_TOP[p] - 14) \
            font BOLD.',11' tc rgb INK
        unset object
        if (RESOLUTION > Y_LOW[p]) {
            set object 1 rectangle from graph 0, graph 0 to graph 1, first RESOLUTION \
                fc rgb BAND fs solid noborder behind
        }
        set style fill transparent solid 0.13 noborder
        plot for [k = FRONT:VARIANTS] DATA using (at('line', p, DRAW[k], $4)):6:7 \
                 with filledcurves lc rgb COLOUR[DRAW[k]], \
             for [k = 1:VARIANTS] DATA using (at('line', p, DRAW[k], $4)):5 \
                 with steps lc rgb COLOUR[DRAW[k]] dt DASH[DRAW[k]] lw THICK[DRAW[k]], \
             '' using (of('end', p, $4)):5:9:8 with points pt variable ps 0.8 lc rgb variable, \
             '' using (of('swatch', p, X_HIGH)):5:10:8 with labels left offset 0.8,0 \
                 font FONT.',10' tc rgb variable, \
             '' using (of('label', p, X_HIGH)):5:10 with labels left offset 2.6,0 \
                 font FONT.',10' tc rgb INK
        eval(PAGE_END)
    }
    unset multiplot
    set output
}
