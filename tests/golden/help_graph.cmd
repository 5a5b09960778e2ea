qkdn graph --help
