qkdn validate --help
