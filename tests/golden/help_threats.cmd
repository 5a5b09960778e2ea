qkdn threats --help
