# The figure 'forest' of a run; edit and draw again: gnuplot forest.gp (in this folder)
BASE = 'forest'
DATA = 'forest.tsv'
TITLE = 'Which strategies are faster or slower than jemalloc?'
SUBTITLE = 'ns per operation over that of jemalloc in the same block (ratio, log scale); n = 4 to 6; lower is better: left of 1x is faster'
READING = 'mark: Hodges-Lehmann estimate; bar: 95 % interval (signed rank); grey dots: the blocks; cross: no figure; arrow head: goes on beyond the axis'
FOOTER = 'run 20250302-101112-c0ffee · bench, Example CPU 9000 · Linux 6.1.0-example x86_64 · poolbench 0.1.0 · exploratory'
WIDTH = 1288
HEIGHT = 924
PANELS = 5
array PANEL_LABELS[5] = [24, 644, 24, 644, 24]
array PANEL_LEFT[5] = [214, 834, 214, 834, 214]
array PANEL_RIGHT[5] = [494, 1114, 494, 1114, 494]
array PANEL_TOP[5] = [132, 132, 400, 400, 668]
array PANEL_BOTTOM[5] = [322, 322, 590, 590, 858]
array PANEL_ROWS[5] = [10, 10, 10, 10, 10]
array NOISE_LOW[5] = [0.979686688, 0.980392157, 0.974805068, 0.964584966, 0.977500444]
array NOISE_HIGH[5] = [1.0207345, 1.02, 1.02584612, 1.03671531, 1.02301744]
array PANEL_TITLE[5] = ['pair, size=64, 1 thread', 'pair, size=64, 2 threads', 'larson, size=64, 1 thread', 'larson, size=64, 2 threads', 'handoff, size=256, 2 threads']
array PANEL_NOTE[5] = ['jemalloc: 3.48 ns/op; grey band: A/A noise x1.02', 'jemalloc: 3.59 ns/op; grey band: least effect x1.02', 'jemalloc: 8.16 ns/op; grey band: A/A noise x1.03', 'jemalloc: 9.42 ns/op; grey band: A/A noise x1.04', 'jemalloc: 14.3 ns/op; grey band: A/A noise x1.02']
SPAN = 8
TICKS = 7
array TICK[7] = [0.125, 0.25, 0.5, 1, 2, 4, 8]
array TICK_TEXT[7] = ['1/8', '1/4', '1/2', '1x', '2', '4', '8']
