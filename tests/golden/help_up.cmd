qkdn up --help
