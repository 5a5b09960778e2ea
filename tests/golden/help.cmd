qkdn --help; qkdn --version
