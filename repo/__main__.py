"""``python -m repo`` is ``smdi``."""

from repo.cli import main

if __name__ == "__main__":
    main()
