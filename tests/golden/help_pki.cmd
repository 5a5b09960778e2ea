qkdn pki --help
