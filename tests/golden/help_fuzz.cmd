qkdn fuzz --help
