"""The check on a picture before it is encrypted and sent.

What stands in `presend.presend` is made by UniFFI. Here it learns to end: a thread
of presend's that answers while the interpreter shuts down would abort it.
"""

import atexit

from .presend import *
from .presend import wait_until_idle

atexit.register(wait_until_idle)
