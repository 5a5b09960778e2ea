qkdn judge --help
