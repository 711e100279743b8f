"""What the package needs of an engine: :class:`repo.engine.backend.Backend`, and what that names.

An operation is named alike wherever it stands: ``repo/backup.py`` is what callers use,
``repo/engine/backup.py`` what it needs of an engine, and ``repo/backends/<engine>/backup.py`` how that
engine does it. So are ``introspection``, ``maintenance``, ``plans`` and ``transfer``.
"""
