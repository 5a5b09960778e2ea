qkdn render --help
