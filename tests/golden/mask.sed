# What differs from run to run: wall, CPU and oracle time. A case may add its own <name>.sed.
s/"\(wall_s\|cpu_s\|cost_s\)": *[0-9.e+-]*/"\1": */g
