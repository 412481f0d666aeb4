"""What a worker gives up before it reads a model: privileges, other files, the network.

A hostile GGUF that takes over llama.cpp then has this process and nothing else. `policy.py` says
which files are left (pure), `filter.py` which system calls are not (pure), `kernel.py` asks the
kernel, and `confine.py` puts them together.
"""
