# The figure 'scaling' of a run; edit and draw again: gnuplot scaling.gp (in this folder)
BASE = 'scaling'
DATA = 'scaling.tsv'
TITLE = 'What do more threads bring?'
SUBTITLE = 'operations per second of all threads together over threads (both log scale); n = 4 to 6; higher is better'
READING = 'marks: medians; bars: 95 % intervals; grey dots: repetitions; dotted: perfect scaling of the fastest start; cross: no figure; thin grey: further variants; thin dotted: null, the harness alone'
FOOTER = 'run 20250302-101112-c0ffee · bench, Example CPU 9000 · Linux 6.1.0-example x86_64 · poolbench 0.1.0 · exploratory'
WIDTH = 1292
HEIGHT = 452
PANELS = 2
array PANEL_LEFT[2] = [86, 708]
array PANEL_RIGHT[2] = [456, 1078]
array PANEL_TOP[2] = [118, 118]
array PANEL_BOTTOM[2] = [368, 368]
array Y_LOW[2] = [12996837, 4912410.21]
array Y_HIGH[2] = [2.09660828e+09, 797097971]
array PANEL_TITLE[2] = ['pair, size=64', 'larson, size=64']
array Y_TICK[13] = [20000000, 50000000, 100000000, 200000000, 500000000, 1e+09, 5000000, 10000000, 20000000, 50000000, 100000000, 200000000, 500000000]
array Y_TICK_TEXT[13] = ['20 M', '50 M', '100 M', '200 M', '500 M', '1 G', '5 M', '10 M', '20 M', '50 M', '100 M', '200 M', '500 M']
array Y_FIRST[2] = [1, 7]
array Y_LAST[2] = [6, 13]
X_LOW = 0.959264119
X_HIGH = 2.08493152
UNITS = 2
MOST = 2
TICKS = 2
array TICK[2] = [1, 2]
array TICK_TEXT[2] = ['1', '2']
FRONT = 3
VARIANTS = 10
array COLOUR[10] = [10132130, 6497537, 142941, 142941, 1546236, 16136380, 10132130, 12529932, 161128, 11701593]
array DASH[10] = [3, 1, 1, 2, 1, 1, 1, 1, 1, 1]
array POINT[10] = [6, 5, 9, 8, 7, 13, 11, 7, 9, 5]
array THICK[10] = [0.9, 1.8, 1.8, 1.8, 1.8, 1.8, 0.9, 1.8, 1.8, 1.8]
array DRAW[10] = [1, 7, 2, 3, 4, 5, 6, 8, 9, 10]
