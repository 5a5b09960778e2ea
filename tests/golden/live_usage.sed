s,/[^ ]*/scratch,HERE,
