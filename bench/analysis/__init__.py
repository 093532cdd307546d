"""Pure: numbers in, values out (numpy, scipy).  Nothing here reads a clock, a file or torch."""
