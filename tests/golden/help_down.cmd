qkdn down --help
