# The figure 'latency' of a run; edit and draw again: gnuplot latency.gp (in this folder)
BASE = 'latency'
DATA = 'latency.tsv'
TITLE = 'How long does one call take, from the typical to the worst?'
SUBTITLE = 'time of one call (log scale) over its percentile (each nine has the same room); calls sampled at random, n = 4 to 6 repetitions; lower is better'
READING = 'lines: merged repetitions, to where 10 samples lie beyond; bands: their least and most; below 20 ns the clock says nothing; thin grey: further variants; thin dotted: null, the harness alone'
FOOTER = 'run 20250302-101112-c0ffee · bench, Example CPU 9000 · Linux 6.1.0-example x86_64 · poolbench 0.1.0 · exploratory'
WIDTH = 1280
HEIGHT = 1212
PANELS = 6
array PANEL_LEFT[6] = [90, 706, 90, 706, 90, 706]
array PANEL_RIGHT[6] = [450, 1066, 450, 1066, 450, 1066]
array PANEL_TOP[6] = [118, 118, 482, 482, 846, 846]
array PANEL_BOTTOM[6] = [398, 398, 762, 762, 1126, 1126]
array Y_LOW[6] = [8, 8, 8, 8, 8, 8]
array Y_HIGH[6] = [1958.75, 1958.75, 2258.75, 2258.75, 1918.75, 1918.75]
array PANEL_TITLE[6] = ['pair, size=64, 1 thread: alloc', 'pair, size=64, 1 thread: free', 'pair, size=64, 2 threads: alloc', 'pair, size=64, 2 threads: free', 'larson, size=64, 1 thread: alloc', 'larson, size=64, 1 thread: free']
array Y_TICK[18] = [10, 100, 1000, 10, 100, 1000, 10, 100, 1000, 10, 100, 1000, 10, 100, 1000, 10, 100, 1000]
array Y_TICK_TEXT[18] = ['10 ns', '100 ns', '1 us', '10 ns', '100 ns', '1 us', '10 ns', '100 ns', '1 us', '10 ns', '100 ns', '1 us', '10 ns', '100 ns', '1 us', '10 ns', '100 ns', '1 us']
array Y_FIRST[6] = [1, 4, 7, 10, 13, 16]
array Y_LAST[6] = [3, 6, 9, 12, 15, 18]
TICKS = 4
array TICK[4] = [1, 10, 100, 1000]
array TICK_TEXT[4] = ['0', '90', '99', '99.9']
X_HIGH = 1333.52143
RESOLUTION = 20
FRONT = 3
VARIANTS = 10
array COLOUR[10] = [10132130, 6497537, 142941, 142941, 1546236, 16136380, 10132130, 12529932, 161128, 11701593]
array DASH[10] = [3, 1, 1, 2, 1, 1, 1, 1, 1, 1]
array POINT[10] = [6, 5, 9, 8, 7, 13, 11, 7, 9, 5]
array THICK[10] = [0.9, 1.8, 1.8, 1.8, 1.8, 1.8, 0.9, 1.8, 1.8, 1.8]
array DRAW[10] = [1, 7, 2, 3, 4, 5, 6, 8, 9, 10]
