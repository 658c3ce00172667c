# The figure 'matrix' of a run; edit and draw again: gnuplot matrix.gp (in this folder)
BASE = 'matrix'
DATA = 'matrix.tsv'
TITLE = 'Which strategy suits which workload?'
SUBTITLE = 'ns per operation over that of jemalloc (ratio of paired blocks, n = 4 to 6); lower is better: blue is faster, red is slower'
READING = 'in brackets: no difference shown (95 % interval, A/A noise, 2 %); words: the cell has no figure; a dash: not in the matrix; colours end at 1/4 and 4'
FOOTER = 'run 20250302-101112-c0ffee · bench, Example CPU 9000 · Linux 6.1.0-example x86_64 · poolbench 0.1.0 · exploratory'
WIDTH = 1060
HEIGHT = 505
COLUMNS = 5
ROWS = 10
SCALE = 9
CELLS_LEFT = 214
CELLS_RIGHT = 704
CELLS_TOP = 92
HEAD_ROWS = 1.66666667
CELLS_BOTTOM = 407
