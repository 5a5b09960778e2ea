s/interrupted after [0-9.e+-]* s/interrupted after * s/
