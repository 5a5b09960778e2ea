qkdn status --help
