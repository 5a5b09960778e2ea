qkdn export --help
