"""
Errors that cross a module's edge.

::

    EdgeError
     ├── ConfigError (ValueError)      all mistakes, one a line
     ├── InputError (ValueError)       a value or file from a person or a script
     ├── SourceError (OSError)
     │    ├── SourceUnavailable        cannot be opened: absent, busy, driver missing
     │    ├── SourceLost               was open, has gone: cable pulled
     │    └── SourceEnded              a recording is over
     ├── ModelError                    missing, wrong sum or shape, device refused
     ├── PictureError (ValueError)     not a picture, damaged, too large
     ├── StoreError                    disk full, second recorder
     │    └── StoreDamaged             what the file holds is not what was written
     ├── ControlError (OSError)        the recorder does not answer, or refused
     │    └── NotAllowed               this user may not ask it
     └── ExportError (OSError)         drive full, removed, read-only

The message names the cause and the mend, in one line (`ConfigError`: one line a
mistake). A library's exceptions are translated in the one file that imports it.
Malformed input from a device is counted by its decoder, not raised.
"""


class EdgeError(Exception):
    """Anything this program knows how to say."""


class ConfigError(EdgeError, ValueError):
    """The configuration file has mistakes; the message lists all of them."""


class InputError(EdgeError, ValueError):
    """A value, column or file that a person or a script gave cannot be used."""


class SourceError(EdgeError, OSError):
    """A camera or an ECG board does not deliver."""


class SourceUnavailable(SourceError):
    """It cannot be opened: absent, busy, or its driver is missing."""


class SourceLost(SourceError):
    """It was open and has gone: a cable was pulled, a board lost power."""


class SourceEnded(SourceError):
    """A recording that was replayed is over."""


class ModelError(EdgeError):
    """The model file is missing or not the expected one, or the device refused it."""


class PictureError(EdgeError, ValueError):
    """The bytes are not a picture that can be used: damaged, unknown or too large."""


class StoreError(EdgeError):
    """The database cannot take or give records: full, damaged, or in use."""


class StoreDamaged(StoreError):
    """What the database holds is not what was written into it."""


class ControlError(EdgeError, OSError):
    """The recorder does not answer on its socket, or refused the request."""


class NotAllowed(ControlError):
    """This user may not ask the recorder, which may be well."""


class ExportError(EdgeError, OSError):
    """An export cannot be written: drive full, removed or read-only."""
