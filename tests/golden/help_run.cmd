qkdn run --help
