"""Runs ministack, a stand-in for many services of AWS. It ends when its standard input is closed, and so with its parent."""

import os
import sys
import threading


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()

from ministack.app import main  # noqa: E402
from ministack.services.cloudformation import helpers  # noqa: E402

# A template is sent with its request here, and on AWS by S3, which allows 1 MB.
helpers.TEMPLATE_BODY_MAX_BYTES = 1_000_000

sys.exit(main())
