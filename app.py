"""Open the demo in a browser: `python app.py`.

Everything is in the package `app`; this file only starts it, under the name that Hugging Face Spaces looks for.
"""

import sys

from app.start import main

if __name__ == "__main__":
    sys.exit(main())
