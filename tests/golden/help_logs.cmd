qkdn logs --help
