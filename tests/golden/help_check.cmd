qkdn check --help
