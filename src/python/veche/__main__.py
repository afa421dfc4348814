"""`python -m veche` is `veche`."""

import os
import sys

from veche import program

os.execv(program(), ["veche", *sys.argv[1:]])
