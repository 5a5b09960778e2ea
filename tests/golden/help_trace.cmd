qkdn trace --help
